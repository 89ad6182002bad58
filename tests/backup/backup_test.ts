/**
 * Back up, destroy, restore: what must come back does, and what must not doesn't.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { AdminHttp, cli, VaultClient } from "../clients.ts";
import { assertFilled, assertTokensDead, assertTokensLive } from "../filled_vault.ts";
import { findTraces } from "../secret_traces.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { must, PASSPHRASE, run, serve, startFilled } from "./_backup.ts";

Deno.test("backup, revoke, destroy, restore: refused, then every token is dead and all else is back", async () => {
  await using place = await temporaryFolder();
  const data = `${place.path}/data`;
  const { api, facts } = await startFilled(place);
  await must(data, ["keys", "generate", "--dim", "384"]);
  const taken = await must(data, ["backup", `${place.path}/vault.age`]);
  match(taken.stdout, /^Backup: +.*vault\.age$/m);
  using admin = AdminHttp.of(api.server);
  await admin.revoke("alice");
  await api[Symbol.asyncDispose]();
  const caBefore = await Deno.readFile(`${data}/seal.key`);
  const adminToken = await Deno.readTextFile(`${data}/admin.token`);
  await Deno.remove(data, { recursive: true });

  const restored = await must(data, ["restore", `${place.path}/vault.age`]);
  match(restored.stdout, /^Whole: .* sound/m);
  match(restored.stderr, /serve --accept-rollback --keep-tokens/);
  deepEqual(await Deno.readFile(`${data}/seal.key`), caBefore);
  const refused = await StartedServer.refused({ dataDir: data });
  equal(refused.code, 78);
  match(refused.log, /may be older than what it promised: this store was restored from a backup of 20/);
  match(refused.log, /--accept-rollback/);

  const accepted = await serve(data, ["--accept-rollback"]);
  await assertTokensDead(accepted, facts);
  await assertFilled(accepted, facts);
  await assertTokensDead(accepted, facts);
  ok(await Deno.readTextFile(`${data}/admin.token`) !== adminToken, "the admin token is a new one");
  match((await cli({ dataDir: data }, ["keys", "show"])).stdout, /^vault-key +512 +yes/m);
  await accepted[Symbol.asyncDispose]();
  await using again = await serve(data);
  await assertTokensDead(again, facts);
});

Deno.test("with --keep-tokens every token of then works, at once and after the next start", async () => {
  await using place = await temporaryFolder();
  const data = `${place.path}/data`;
  const { api, facts } = await startFilled(place);
  await must(data, ["backup", `${place.path}/vault.age`]);
  await api[Symbol.asyncDispose]();
  await must(`${place.path}/other`, ["restore", `${place.path}/vault.age`]);
  const kept = await serve(`${place.path}/other`, ["--accept-rollback", "--keep-tokens"]);
  await assertTokensLive(kept, facts);
  await assertFilled(kept, facts);
  await kept[Symbol.asyncDispose]();
  await using again = await serve(`${place.path}/other`);
  await assertTokensLive(again, facts);
  equal(
    await Deno.readTextFile(`${place.path}/other/admin.token`),
    await Deno.readTextFile(`${data}/admin.token`),
  );
});

Deno.test("a backup is taken and restored with the server stopped, and holds the same", async () => {
  await using place = await temporaryFolder();
  const data = `${place.path}/data`;
  const { api, facts } = await startFilled(place);
  await api[Symbol.asyncDispose]();
  await must(data, ["backup", `${place.path}/vault.age`]);
  await must(`${place.path}/other`, ["restore", `${place.path}/vault.age`]);
  await using kept = await serve(`${place.path}/other`, ["--accept-rollback", "--keep-tokens"]);
  await assertTokensLive(kept, facts);
});

Deno.test("a backup while changes go on is a moment between two of them", async () => {
  await using place = await temporaryFolder();
  const data = `${place.path}/data`;
  const { api } = await startFilled(place);
  using admin = AdminHttp.of(api.server);
  let isDone = false;
  const issued: string[] = [];
  const issuing = (async () => {
    for (let i = 0; !isDone; i++) issued.push(await admin.issue(`user-${i}`));
  })();
  const taken = await must(data, ["backup", `${place.path}/vault.age`, "--json"]);
  isDone = true;
  await issuing;
  const { sequence } = JSON.parse(taken.stdout) as { sequence: number };
  const restored = await must(`${place.path}/other`, ["restore", `${place.path}/vault.age`, "--json"]);
  equal((JSON.parse(restored.stdout) as { sequence: number }).sequence, sequence);
  await using kept = await serve(`${place.path}/other`, ["--accept-rollback", "--keep-tokens"]);
  using vault = VaultClient.of(kept.server);
  const codes = await Promise.all(issued.map(async (token) => (await vault.manifest(token)).code));
  const known = codes.filter((code) => code === 0).length;
  ok(known > 0, "some of them are in it");
  deepEqual(codes.slice(0, known).every((code) => code === 0), true, "those that are, are the first");
});

Deno.test("the file shows nothing without its key, is private, and is never written over another", async () => {
  await using place = await temporaryFolder();
  const data = `${place.path}/data`;
  const { api, facts } = await startFilled(place);
  const file = `${place.path}/vault.age`;
  await must(data, ["backup", file]);
  await api[Symbol.asyncDispose]();
  equal((await Deno.stat(file)).mode! & 0o777, 0o600);
  const text = new TextDecoder("latin1").decode(await Deno.readFile(file));
  match(text, /^age-encryption\.org\/v1\n-> scrypt /);
  deepEqual(findTraces("the backup", text, { passphrase: PASSPHRASE, alice: facts.tokens.alice }), []);
  const again = await run(data, ["backup", file]);
  equal(again.code, 1);
  match(again.stderr, /vault\.age exists/);
  deepEqual((await Array.fromAsync(Deno.readDir(place.path))).map(({ name }) => name).sort(), ["data", "vault.age"]);
});

const DAMAGES = {
  role: "UPDATE records SET value = replace(value, 'member', 'nember') WHERE kind = 'role' AND key = 'member'",
  audit_outbox:
    "INSERT INTO audit_outbox (last, value, checksum) VALUES (1, '{}', 1) ON CONFLICT DO UPDATE SET value = '{}'",
};

for (const [kind, damage] of Object.entries(DAMAGES)) {
  Deno.test(`a store with a damaged ${kind} is found out when it is backed up, not when the backup is needed`, async () => {
    await using place = await temporaryFolder();
    await using server = await StartedServer.start({ dataDir: `${place.path}/data` });
    {
      using db = new DatabaseSync(`${server.dataDir}/runevault.db`);
      db.exec("PRAGMA busy_timeout = 5000");
      db.exec(damage);
    }
    const { code, stderr } = await run(server.dataDir, ["backup", `${place.path}/vault.age`]);
    equal(code, 1);
    ok(stderr.includes(`The store can't be copied: it is damaged: a record of the kind "${kind}"`), stderr);
    deepEqual((await Array.fromAsync(Deno.readDir(place.path))).map(({ name }) => name), ["data"]);
    const left = (await Array.fromAsync(Deno.readDir(server.dataDir))).filter(({ name }) =>
      name.startsWith(".backup-")
    );
    deepEqual(left, []);
  });
}
