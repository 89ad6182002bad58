/**
 * The gRPC port's TLS as configured: a private authority, the operator's files, or none.
 *
 * @module
 */

import { hostname, networkInterfaces } from "node:os";
import { type Clock, type Logger, type RandomSource, VaultError } from "../vault/mod.ts";
import type { Config } from "./config.ts";
import { canServeGrpcOverTls } from "./grpc/runtime.ts";
import {
  assertPlaintextAllowed,
  collectTlsNames,
  ensureAutoTls,
  loadClientCa,
  type TlsMaterial,
  watchTlsFiles,
} from "./tls/mod.ts";

/** What the gRPC port proves itself with. */
export interface GrpcTls {
  readonly material: TlsMaterial;
  /** Clients must show a certificate of these authorities. */
  readonly clientCaPem: string | undefined;
  /** SHA-256 of the private authority, for pinning; null where the operator brought the certificate. */
  readonly caSha256: string | null;
  readonly caPath: string | null;
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
export function assertGrpcTlsPossible(config: Config): void {
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

/**
 * Prepares TLS for the gRPC port; null for plaintext.
 *
 * @throws {VaultError} `config_invalid` for files that can't be used.
 */
export async function prepareGrpcTls(config: Config, around: TlsSurroundings): Promise<GrpcTls | null> {
  if (config.grpc === null || config.tls === "off") return null;
  const clientCaPem = await clientAuthorities(config, around);
  return config.tls === "files"
    ? await fromFiles(config, around, clientCaPem)
    : await automatic(config, around, clientCaPem);
}

async function clientAuthorities(config: Config, { clock, logger }: TlsSurroundings): Promise<string | undefined> {
  if (config.tlsClientCa === undefined) return undefined;
  const { pem, subjects } = await loadClientCa(config.tlsClientCa, { clock, logger });
  logger.log("info", "tls_client_ca", { subjects, guards: "the gRPC port alone" });
  return pem;
}

async function fromFiles(config: Config, around: TlsSurroundings, clientCaPem: string | undefined): Promise<GrpcTls> {
  const material = await watchTlsFiles({
    certPath: config.tlsCert!,
    keyPath: config.tlsKey!,
    keyMode: { credentialsDir: around.credentialsDir, ownUid: Deno.uid() ?? undefined },
    clock: around.clock,
    logger: around.logger,
  });
  return { material, clientCaPem, caSha256: null, caPath: null };
}

async function automatic(config: Config, around: TlsSurroundings, clientCaPem: string | undefined): Promise<GrpcTls> {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all?.map((one) => one.address) ?? []);
  const names = collectTlsNames({ hostname: hostname(), addresses, tlsHostnames: config.tlsHostnames });
  const auto = await ensureAutoTls({
    dir: `${config.dataDir}/tls`,
    names,
    keyMode: { credentialsDir: around.credentialsDir },
    clock: around.clock,
    random: around.random,
    logger: around.logger,
  });
  if (auto.isNew) around.logger.log("info", "tls_ca_made", { path: auto.paths.caCert, sha256: auto.caFingerprint });
  return { material: auto.material, clientCaPem, caSha256: auto.caFingerprint, caPath: auto.paths.caCert };
}
