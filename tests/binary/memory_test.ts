/**
 * What the binary keeps in memory once it has started.
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

Deno.test("what a start with many users leaves is given back, and the program's text is not kept twice", async () => {
  binaryPath();
  await using folder = await temporaryFolder();
  await seedDataFolder(folder.path, USERS);
  await using server = await StartedServer.start({ dataDir: folder.path, args: ["--yaml-max-users", "1"] });
  await sleep(WAIT_MS);
  const status = await Deno.readTextFile(`/proc/${server.pid}/status`);
  const own = Number(/RssAnon:\s+(\d+) kB/.exec(status)![1]) / 1024;
  ok(own < MAX_OWN_MB, `${own.toFixed(0)} MB of its own`);
});
