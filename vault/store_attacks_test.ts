/**
 * Attacks on what lies at rest, each tried as somebody who holds the disk would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { seededRandom } from "../tests/fakes/seeded_random.ts";
import { refused, TEAM_SECRET, withVault } from "./_test_support.ts";
import { SealKey } from "./keys/seal_key.ts";
import { hashToken } from "./tokens/user_token.ts";

Deno.test("attack: swap two sealed team secrets in the database, so that old keys come back in force", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const token = await it.issue("alice");
    await it.vault.secrets.rotate();
    await it.close();
    const rows = it.disk.table("secret");
    const [one, two] = ["1", "2"].map((version) => JSON.parse(rows.get(version)!));
    rows.set("1", JSON.stringify({ ...one, sealed: two.sealed }));
    rows.set("2", JSON.stringify({ ...two, sealed: one.sealed }));
    await assert.rejects(it.open({}), refused("config_invalid", /Version [12] of the team secret does not open/));
    rows.set("1", JSON.stringify(one));
    rows.set("2", JSON.stringify({ ...one, version: 2 }));
    await assert.rejects(it.open({}), refused("config_invalid", /Version 2 of the team secret does not open/));
    rows.set("2", JSON.stringify(two));
    await it.open({});
    assert.ok(it.works(token));
  });
});

Deno.test("attack: read a stolen database without its seal key, or with one made up", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const token = await it.issue("alice");
    await it.vault.secrets.rotate();
    const everything = JSON.stringify([...it.disk.records].map(([kind, rows]) => [kind, ...rows]));
    assert.ok(!everything.includes(TEAM_SECRET) && !everything.includes(token) && !everything.includes(token.slice(4)));
    const madeUp = new SealKey(new Uint8Array(32).fill(1), seededRandom("made up"));
    for (const [version, row] of it.disk.table("secret")) {
      assert.throws(() => madeUp.open(`secret/${version}`, JSON.parse(row).sealed), refused("storage_failed"));
    }
    await it.close();
    it.sealKey = madeUp;
    await assert.rejects(it.open({}), refused("config_invalid"));
  });
});

Deno.test("attack: present the hash from the database or the file as a token", async () => {
  await withVault({}, async (it) => {
    const hash = hashToken(await it.issue("alice"));
    for (const presented of [hash, hash.slice(0, 32), `sha256:${hash}`, `evt_${hash.slice(0, 32)}`]) {
      assert.throws(() => it.identify(presented), refused("token_invalid"));
    }
  });
});
