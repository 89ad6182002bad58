/**
 * A vault of twelve thousand users: lists come in pages, and the tokens file is off where the operator's number says so.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import type { StatusReport, TokenRow, UserRow } from "../../admin/wire.ts";
import { seedDataFolder, seededToken } from "../../bench/seed_store.ts";
import { AdminHttp, VaultClient } from "../clients.ts";
import { runProgram, StartedServer, temporaryFolder } from "../started_server.ts";

const USERS = 12_000;
const NAMES = Array.from({ length: USERS }, (_, i) => `user${i}`).sort();

Deno.test("lists of many users are whole, in pages and printed, and the tokens file is off above its number", async () => {
  await using folder = await temporaryFolder();
  await seedDataFolder(folder.path, USERS);
  await using server = await StartedServer.start({ dataDir: folder.path, args: ["--yaml-max-users", "11999"] });
  using admin = AdminHttp.of(server);

  const seen: string[] = [];
  for (let query = "?limit=5000";;) {
    const { tokens } = await admin.expect<{ tokens: TokenRow[] }>("GET", `/tokens${query}`);
    seen.push(...tokens.map(({ user }) => user));
    if (tokens.length < 5000) break;
    query = `?limit=5000&after=${seen.at(-1)}`;
  }
  deepEqual(seen.toSorted(), NAMES);

  const cli = async (...args: string[]) => {
    const { code, stdout, stderr } = await runProgram([...args, "--data-dir", folder.path]);
    equal(code, 0, stderr);
    return stdout;
  };
  const table = (await cli("token", "list")).trimEnd().split("\n");
  match(table[0]!, /^USER +ROLE/);
  deepEqual(table.slice(1).map((line) => line.split(" ")[0]).toSorted(), NAMES);
  const { tokens } = JSON.parse(await cli("token", "list", "--json")) as { tokens: TokenRow[] };
  deepEqual(tokens.map(({ user }) => user), seen);
  const { users } = JSON.parse(await cli("user", "list", "--json")) as { users: UserRow[] };
  equal(users.length, USERS);

  const status = await admin.expect<StatusReport>("GET", "/status");
  equal(status.health, "healthy");
  match(status.reasons.join(), /tokens off: .*11999/);
  match(server.log, /"event":"file_off"/);
  const written = await Deno.stat(`${folder.path}/vault-tokens.yml`).then(() => true, () => false);
  equal(written, false);
  using client = VaultClient.of(server);
  for (const index of [0, 7777, USERS - 1]) equal((await client.manifest(seededToken(index))).code, 0);
  equal((await client.manifest(seededToken(USERS))).code, 16);
});
