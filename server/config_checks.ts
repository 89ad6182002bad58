/**
 * Settings that are each of their form and don't go together.
 *
 * @module
 */

import { VaultError } from "../vault/mod.ts";
import type { Config } from "./config.ts";
import { isLoopbackHost } from "./tls/mod.ts";

/** Beyond this the one thread that decides is what limits. */
const MAX_WORKERS = 16;

/** Refuses settings that contradict each other: `config_invalid` naming them. */
export function assertConsistent(config: Config): void {
  if (config.rollback.keepTokens && !config.rollback.accept) {
    throw new VaultError("config_invalid", "--keep-tokens goes with --accept-rollback");
  }
  const { grpc, api, tls, tlsCert, tlsKey, dev, admin, metrics, workers } = config;
  if (workers < 1 || workers > MAX_WORKERS) {
    throw new VaultError("config_invalid", `--workers must be 1 to ${MAX_WORKERS}, not ${workers}`);
  }
  if (tls === "files" && (tlsCert === undefined || tlsKey === undefined)) {
    throw new VaultError("config_invalid", "--tls files needs --tls-cert and --tls-key");
  }
  if (tls !== "files" && (tlsCert !== undefined || tlsKey !== undefined)) {
    throw new VaultError("config_invalid", `--tls-cert and --tls-key go with --tls files, not --tls ${tls}`);
  }
  if (tls === "off" && config.tlsClientCa !== undefined) {
    throw new VaultError("config_invalid", "--tls-client-ca needs TLS: take away --tls off");
  }
  assertReachable(config);
  const remote = [grpc, api, admin, metrics].find((address) =>
    dev && address !== null && !isLoopbackHost(address.host)
  );
  if (remote) throw new VaultError("config_invalid", `--dev listens on loopback alone, not on ${remote.host}`);
}

/** The data folder is its owner's alone, so nobody of a group would come to a socket in it. */
function assertReachable({ adminSocket, adminSocketGroup, dataDir }: Config): void {
  if (adminSocketGroup === undefined || !adminSocket?.startsWith(`${dataDir}/`)) return;
  throw new VaultError("config_invalid", "A group can't reach an admin socket in the data folder", {
    hint: "give --admin-socket another place, such as /run/runevault/admin.sock",
  });
}
