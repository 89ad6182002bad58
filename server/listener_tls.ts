/**
 * TLS of the gRPC port and of the identity API as configured: a private authority, the operator's files, or none.
 *
 * @module
 */

import { hostname, networkInterfaces } from "node:os";
import { type Clock, type Logger, type RandomSource, VaultError } from "../vault/mod.ts";
import type { Config } from "./config.ts";
import { canServeGrpcOverTls } from "./grpc/runtime.ts";
import {
  assertPlaintextAllowed,
  type AutoTlsOptions,
  collectTlsNames,
  ensureAutoTls,
  loadClientCa,
  type TlsMaterial,
  watchTlsFiles,
} from "./tls/mod.ts";

/** What a port proves itself with. */
export interface ListenerTls {
  readonly material: TlsMaterial;
  /** gRPC clients must show a certificate of these authorities. */
  readonly clientCaPem: string | undefined;
  /** SHA-256 of the private authority, for pinning; null where the operator brought the certificate. */
  readonly caSha256: string | null;
  readonly caPath: string | null;
  /** When the private authority ends, ms since 1970; null where the operator brought the certificate. */
  readonly caNotAfter: number | null;
  /** Replaces the server certificate now; null where the operator brought it. */
  readonly renew: (() => Promise<void>) | null;
}

/** What is needed from the process. */
export interface TlsSurroundings {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly credentialsDir: string | undefined;
}

/**
 * Refuses, before anything is made on disk, plaintext off loopback that nobody asked for, and TLS on a runtime that
 * can't serve gRPC over it.
 *
 * @throws {VaultError} `config_invalid` naming the flag, or the runtime.
 */
export function assertTlsPossible(config: Config): void {
  if (config.api !== null && config.apiTls === "off") {
    assertPlaintextAllowed("identity API", config.api, config.allowPlaintext);
  }
  if (config.grpc === null) return;
  if (config.tls === "off") return assertPlaintextAllowed("gRPC", config.grpc, config.allowPlaintext);
  if (canServeGrpcOverTls()) return;
  throw new VaultError(
    "config_invalid",
    `This program's runtime, Deno ${Deno.version.deno}, can't serve gRPC over TLS`,
    {
      hint: "use a runevault compiled with Deno 2.7.13 or newer, or --tls off on a loopback address",
    },
  );
}

/** TLS of each port; null for plaintext, and where nothing listens. */
export interface PreparedTls {
  readonly grpc: ListenerTls | null;
  readonly api: ListenerTls | null;
}

/**
 * Prepares TLS for the ports that want it; they share a certificate.
 *
 * @throws {VaultError} `config_invalid` for files that can't be used.
 */
export async function prepareTls(config: Config, around: TlsSurroundings): Promise<PreparedTls> {
  const grpc = config.grpc === null ? "off" : config.tls;
  const api = config.api === null ? "off" : config.apiTls;
  const mode = grpc === "off" ? api : grpc;
  if (mode === "off") return { grpc: null, api: null };
  const clientCaPem = grpc === "off" ? undefined : await clientAuthorities(config, around);
  const tls = mode === "files"
    ? await fromFiles(config, around, clientCaPem)
    : await automatic(config, around, clientCaPem);
  return { grpc: grpc === "off" ? null : tls, api: api === "off" ? null : tls };
}

async function clientAuthorities(config: Config, { clock, logger }: TlsSurroundings): Promise<string | undefined> {
  if (config.tlsClientCa === undefined) return undefined;
  const { pem, subjects } = await loadClientCa(config.tlsClientCa, { clock, logger });
  logger.log("info", "tls_client_ca", { subjects, guards: "the gRPC port alone" });
  return pem;
}

async function fromFiles(
  config: Config,
  around: TlsSurroundings,
  clientCaPem: string | undefined,
): Promise<ListenerTls> {
  const material = await watchTlsFiles({
    certPath: config.tlsCert!,
    keyPath: config.tlsKey!,
    keyMode: { credentialsDir: around.credentialsDir, ownUid: Deno.uid() ?? undefined },
    clock: around.clock,
    logger: around.logger,
  });
  return { material, clientCaPem, caSha256: null, caPath: null, caNotAfter: null, renew: null };
}

async function automatic(
  config: Config,
  around: TlsSurroundings,
  clientCaPem: string | undefined,
): Promise<ListenerTls> {
  const auto = await ensureAutoTls(autoTlsOptions(config.dataDir, config.tlsHostnames, around));
  if (auto.isNew) around.logger.log("info", "tls_ca_made", { path: auto.paths.caCert, sha256: auto.caFingerprint });
  const { material, caFingerprint, caNotAfter, paths, renew } = auto;
  return { material, clientCaPem, caSha256: caFingerprint, caPath: paths.caCert, caNotAfter, renew };
}

/** What the certificates of a data folder are made from: the names that were asked for, and those of this host. */
export function autoTlsOptions(
  dataDir: string,
  tlsHostnames: readonly string[],
  { clock, random, logger, credentialsDir }: TlsSurroundings,
): AutoTlsOptions {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all?.map((one) => one.address) ?? []);
  const names = collectTlsNames({ hostname: hostname(), addresses, tlsHostnames });
  return { dir: `${dataDir}/tls`, names, keyMode: { credentialsDir }, clock, random, logger };
}
