/**
 * One server for all tests of a file: a start costs more than most of them.
 *
 * @module
 */

import { AdminHttp, VaultClient } from "../clients.ts";
import { StartedServer, type StartOptions } from "../started_server.ts";

/** A server with a client for each of its faces. */
export interface Shared {
  readonly server: StartedServer;
  readonly vault: VaultClient;
  readonly admin: AdminHttp;
}

/**
 * Has a server started before the first test of the file that calls this, and stopped after the last.
 *
 * @param prepare Told of the server before the first test.
 * @returns What gives the server inside of a test.
 */
export function sharedServer(options: StartOptions = {}, prepare?: (shared: Shared) => Promise<void>): () => Shared {
  let shared: Shared | undefined;
  Deno.test.beforeAll(async () => {
    const server = await StartedServer.start(options);
    shared = { server, vault: VaultClient.of(server), admin: AdminHttp.of(server) };
    await prepare?.(shared);
  });
  Deno.test.afterAll(async () => {
    shared?.vault[Symbol.dispose]();
    shared?.admin[Symbol.dispose]();
    await shared?.server.stop();
  });
  return () => shared!;
}
