import { deepEqual, doesNotMatch, equal, rejects, throws } from "node:assert/strict";
import { refused, type TestVault, withVault } from "../_test_support.ts";
import { DAY_MS } from "../dates.ts";

const DAY = { expiresDays: 1 };
/** The rest of the day of issue, the day after, and a while. */
const OVER_MS = 2 * DAY_MS;

function ends(it: TestVault): string[] {
  return [...it.disk.table("user_token").values()].map((text) => JSON.parse(text).ended ?? "live");
}

Deno.test("a token that expired stays dead when the clock is set back, over restarts", async () => {
  await withVault({}, async (it) => {
    const { token } = await it.vault.tokens.issue({ user: "alice", role: "member", ...DAY });
    it.clock.advance(OVER_MS);
    equal(await it.vault.tokenExpiry.sweep(), 1);
    throws(() => it.identify(token), refused("token_expired"));
    for (const back of [1000, DAY_MS, 365 * DAY_MS]) {
      it.clock.wall -= back;
      await it.restart();
      throws(() => it.identify(token), refused("token_expired"));
    }
    deepEqual(ends(it), ["expired"]);
  });
});

Deno.test("nothing is ended before its time, and what never expires never", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice", "member", 1);
    const forEver = await it.issue("bob");
    it.clock.advance(DAY_MS / 2);
    equal(await it.vault.tokenExpiry.sweep(), 0);
    deepEqual([it.works(token), it.works(forEver)], [true, true]);
    it.clock.advance(4000 * DAY_MS);
    equal(await it.vault.tokenExpiry.sweep(), 1);
    equal(it.works(forEver), true);
  });
});

Deno.test("a replaced token is ended when its grace is over, and a clock set back doesn't revive it", async () => {
  await withVault({}, async (it) => {
    const old = await it.issue("alice");
    const { token } = await it.vault.tokens.rotate({ user: "alice", graceSeconds: 60 });
    it.clock.advance(59_000);
    equal(await it.vault.tokenExpiry.sweep(), 0);
    it.clock.advance(1000);
    equal(await it.vault.tokenExpiry.sweep(), 1);
    it.clock.wall -= DAY_MS;
    deepEqual([it.works(old), it.works(token)], [false, true]);
    deepEqual(ends(it).sort(), ["live", "rotated"]);
  });
});

Deno.test("tokens of a store that is opened are swept as well, and their users may have new ones", async () => {
  await withVault({}, async (it) => {
    for (const user of ["alice", "bob", "carol"]) await it.issue(user, "member", 1);
    await it.restart();
    it.clock.advance(OVER_MS);
    equal(await it.vault.tokenExpiry.sweep(), 3);
    equal(await it.vault.tokenExpiry.sweep(), 0);
    equal(it.works(await it.issue("alice")), true);
    await rejects(it.vault.tokens.rotate({ user: "bob" }), refused("not_found"));
  });
});

Deno.test("the row of an expired token leaves the file, and the file of before brings it back as little as a revoked one", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice", "member", 1);
    const before = await it.tokensFile();
    it.clock.advance(OVER_MS);
    await it.vault.tokenExpiry.sweep();
    doesNotMatch(await it.tokensFile(), /alice/);
    it.clock.wall -= OVER_MS;
    await it.restart();
    await Deno.writeTextFile(it.tokensPath, before);
    await it.vault.files.reload(false).catch(() => {});
    equal(it.works(token), false);
  });
});

Deno.test("a thousand tokens that expire at once are ended, some at a time", async () => {
  await withVault({}, async (it) => {
    for (let i = 0; i < 1000; i++) await it.issue(`user${i}`, "member", 1);
    it.clock.advance(OVER_MS);
    const before = it.disk.sequence;
    equal(await it.vault.tokenExpiry.sweep(), 1000);
    equal(it.disk.sequence - before, 5);
  });
});
