/**
 * Whether the threads that were asked for can be had.
 *
 * @module
 */

import { createServer } from "node:net";
import { VaultError } from "../vault/mod.ts";
import type { Config } from "./config.ts";
import { canSharePorts } from "./grpc/runtime.ts";
import { formatListenAddress, type ListenAddress } from "./tls/mod.ts";

/**
 * Refuses several threads, before anything is made on disk, on a runtime whose threads can't share a port. To accept in
 * one thread and hand connections on to others is not possible on any: a connection can't leave its thread.
 *
 * @throws {VaultError} `config_invalid` naming the runtime.
 */
export async function assertWorkersPossible({ workers, grpc }: Config): Promise<void> {
  if (workers === 1 || grpc === null || await canSharePorts()) return;
  const runtime = `Deno ${Deno.version.deno}`;
  throw new VaultError("config_invalid", `This program's runtime, ${runtime}, can't share a port between threads`, {
    hint: "leave --workers away, or use a runevault compiled with Deno 2.8 or newer",
  });
}

/**
 * Makes sure that nobody listens on an address yet. Where threads share a port, any other process of this user may share
 * it too: a second vault on the same port would silently get half of the callers of the first.
 *
 * @throws what listening throws.
 */
export function assertFree({ host, port }: ListenAddress): Promise<void> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(new Error(`${formatListenAddress({ host, port })}: ${cause.message}`)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}
