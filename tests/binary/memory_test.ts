/**
 * What the binary keeps in memory once it has started, and what it takes for who connects and says nothing.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { seedDataFolder } from "../../bench/seed_store.ts";
import { sleep } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { binaryPath } from "./_binary.ts";

const USERS = 20_000;
/** 96 and 97 were seen; 124 without what `server/start_garbage.ts` does, 141 with a text besides that is not ASCII. */
const MAX_OWN_MB = 112;
/** The engine would give back by itself what a start leaves, after some twenty seconds. */
const WAIT_MS = 4000;
const SOCKETS = 1000;
/** 8 and 9 were seen; 78 and 96 where blocks of 64 KiB lie among the others (`server/c_heap.ts`). */
const MAX_SOCKET_KB = 40;

Deno.test("what a start with many users leaves is given back, and the program's text is not kept twice", async () => {
  binaryPath();
  await using folder = await temporaryFolder();
  await seedDataFolder(folder.path, USERS);
  await using server = await StartedServer.start({ dataDir: folder.path, args: ["--yaml-max-users", "1"] });
  await sleep(WAIT_MS);
  const own = ownKb(server) / 1024;
  ok(own < MAX_OWN_MB, `${own.toFixed(0)} MB of its own`);
});

Deno.test("the buffer that the runtime takes for each idle socket takes no memory until something is read into it", async () => {
  binaryPath();
  await using server = await StartedServer.start();
  const port = Number(server.addresses.api!.split(":").at(-1));
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  const first = await Promise.all(Array.from({ length: SOCKETS }, connect));
  for (const socket of first) socket.close();
  await sleep(WAIT_MS);
  const before = ownKb(server);
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, connect));
  await sleep(1000);
  const each = (ownKb(server) - before) / SOCKETS;
  for (const socket of sockets) socket.close();
  ok(each < MAX_SOCKET_KB, `${each.toFixed(0)} kB for each of ${SOCKETS} sockets`);
});

function ownKb({ pid }: StartedServer): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
}
