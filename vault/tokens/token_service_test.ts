import assert from "node:assert/strict";
import { NOW, refused, type TestVault, withVault } from "../_test_support.ts";
import { DAY_MS, lastValidDay } from "../dates.ts";
import { hashToken } from "./user_token.ts";

const DAY = { expiresDays: 1 };

function storedTokens(it: TestVault) {
  return [...it.disk.table("user_token").values()].map((text) => JSON.parse(text));
}

Deno.test("TokenService.issue() makes the user and a token of 128 random bits, and keeps its hash alone", async () => {
  await withVault({}, async (it) => {
    const issued = await it.vault.tokens.issue({ user: "alice", role: "member", expiresDays: 90 });
    assert.match(issued.token, /^evt_[0-9a-f]{32}$/);
    assert.deepEqual([issued.user, issued.role, issued.issuedAt], ["alice", "member", NOW]);
    assert.equal(lastValidDay(issued.expiresAt!), "2026-06-18");
    assert.equal(issued.agentId, hashToken(issued.token).slice(0, 32));
    assert.equal(issued.secretVersion, 1);
    assert.equal(it.identify(issued.token).user.record.name, "alice");
    const everything = JSON.stringify([...it.disk.records].map(([kind, table]) => [kind, ...table]));
    assert.ok(everything.includes(hashToken(issued.token)));
    assert.ok(!everything.includes(issued.token) && !everything.includes(issued.token.slice(4)));
    assert.ok(!it.logger.text().includes(issued.token.slice(4)));
  });
});

Deno.test("TokenService.issue() refuses what can't be, and nothing of it is done", async () => {
  await withVault({}, async (it) => {
    const { tokens } = it.vault;
    await it.issue("Alice");
    const before = it.disk.sequence;
    await assert.rejects(tokens.issue({ user: "Alice", role: "member" }), refused("already_exists"));
    await assert.rejects(tokens.issue({ user: "ALICE", role: "member" }), refused("already_exists", /only in case/));
    await assert.rejects(tokens.issue({ user: "bob", role: "none" }), refused("not_found"));
    for (const user of ["", "../bob", "b\0b", "b\nb", "b".repeat(1_000_000), "böb"]) {
      await assert.rejects(tokens.issue({ user, role: "member" }), refused("invalid_argument"));
    }
    for (const expiresDays of [0, -1, 3651, 0.5, NaN]) {
      await assert.rejects(tokens.issue({ user: "bob", role: "member", expiresDays }), refused("invalid_argument"));
    }
    assert.equal(it.disk.sequence, before);
    assert.equal(it.vault.state.userByName("bob"), undefined);
  });
});

Deno.test("TokenService.issue() that can't be saved leaves no user, no token and no count behind", async () => {
  await withVault({}, async (it) => {
    it.store.failNext();
    await assert.rejects(it.vault.tokens.issue({ user: "alice", role: "member" }), refused("storage_failed"));
    assert.equal(it.vault.tokens.count(), 0);
    assert.equal(it.vault.state.userList.length, 0);
    assert.equal(it.vault.state.meta.has("first_user_at"), false);
    assert.ok(it.works(await it.issue("alice")));
  });
});

Deno.test("TokenService.issue() twice at once for one name, or two that differ in case, makes one", async () => {
  await withVault({}, async (it) => {
    for (const pair of [["bob", "bob"], ["carol", "CAROL"]]) {
      const outcomes = await Promise.allSettled(pair.map((user) => it.vault.tokens.issue({ user, role: "member" })));
      assert.deepEqual(outcomes.map((outcome) => outcome.status), ["fulfilled", "rejected"]);
    }
    assert.equal(it.vault.tokens.count(), 2);
  });
});

Deno.test("TokenService.issue() gives a token to a known user again after a revocation, not while one is expired", async () => {
  await withVault({}, async (it) => {
    const { tokens, users } = it.vault;
    await tokens.issue({ user: "alice", role: "member", ...DAY });
    const { entityId } = users.show("alice");
    it.clock.wall += 3 * DAY_MS;
    await assert.rejects(tokens.issue({ user: "alice", role: "member" }), refused("already_exists"));
    await tokens.revoke("alice");
    const again = await tokens.issue({ user: "alice", role: "admin" });
    assert.equal(users.show("alice").entityId, entityId);
    assert.equal(it.identify(again.token).role.name, "admin");
    await tokens.revoke("alice");
    await users.disable("alice");
    await assert.rejects(tokens.issue({ user: "alice", role: "member" }), refused("precondition_failed"));
  });
});

Deno.test("TokenService.rotate() stops the old token at once and hands out one as long-lived", async () => {
  await withVault({}, async (it) => {
    const { tokens } = it.vault;
    const old = await tokens.issue({ user: "alice", role: "admin", expiresDays: 30 });
    it.clock.advance(5 * DAY_MS);
    const fresh = await tokens.rotate({ user: "alice" });
    assert.equal(it.works(old.token), false);
    assert.ok(it.works(fresh.token));
    assert.equal(fresh.role, "admin");
    assert.equal(fresh.expiresAt! - old.expiresAt!, 5 * DAY_MS);
    assert.equal(fresh.graceUntil, null);
    assert.equal(tokens.count(), 1);
    const never = await tokens.issue({ user: "bob", role: "member" });
    assert.equal((await tokens.rotate({ user: "bob" })).expiresAt, null);
    assert.equal(lastValidDay((await tokens.rotate({ user: "bob", expiresDays: 1 })).expiresAt!), "2026-03-26");
    assert.equal(it.works(never.token), false);
  });
});

Deno.test("TokenService.rotate() with a grace lets both tokens work until it ends, to the millisecond", async () => {
  await withVault({}, async (it) => {
    const { tokens } = it.vault;
    const old = await it.issue("alice");
    const fresh = await tokens.rotate({ user: "alice", graceSeconds: 600 });
    assert.equal(fresh.graceUntil, NOW + 600_000);
    assert.equal(tokens.show("alice").graceUntil, NOW + 600_000);
    it.clock.advance(599_999);
    assert.ok(it.works(old) && it.works(fresh.token));
    it.clock.advance(1);
    assert.equal(it.works(old), false);
    assert.ok(it.works(fresh.token));
    assert.equal(tokens.show("alice").graceUntil, null);
    assert.equal(tokens.count(), 1, "one in grace is nobody's current token");
  });
});

Deno.test("TokenService.rotate() never leaves a user with more than two tokens that work", async () => {
  await withVault({}, async (it) => {
    const { tokens } = it.vault;
    const first = await it.issue("alice");
    const second = (await tokens.rotate({ user: "alice", graceSeconds: 86_400 })).token;
    const third = (await tokens.rotate({ user: "alice", graceSeconds: 60 })).token;
    assert.deepEqual([first, second, third].map((token) => it.works(token)), [false, true, true]);
    const fourth = (await tokens.rotate({ user: "alice" })).token;
    assert.deepEqual([first, second, third, fourth].map((token) => it.works(token)), [false, false, false, true]);
  });
});

Deno.test("TokenService.rotate() ends an older token in grace also while the user is disabled", async () => {
  await withVault({}, async (it) => {
    const { tokens, users } = it.vault;
    const first = await it.issue("alice");
    const second = (await tokens.rotate({ user: "alice", graceSeconds: 86_400 })).token;
    await users.disable("alice");
    const third = (await tokens.rotate({ user: "alice", graceSeconds: 60 })).token;
    await users.enable("alice");
    assert.deepEqual([first, second, third].map((token) => it.works(token)), [false, true, true]);
  });
});

Deno.test("TokenService.rotate() leaves nothing that a clock set back could bring to life", async () => {
  await withVault({}, async (it) => {
    const { tokens } = it.vault;
    const first = await it.issue("alice");
    await tokens.rotate({ user: "alice", graceSeconds: 60 });
    it.clock.advance(61_000);
    await tokens.rotate({ user: "alice", graceSeconds: 60 });
    const third = (await tokens.rotate({ user: "alice" })).token;
    await tokens.rotate({ user: "alice" });
    it.clock.wall -= 3_600_000;
    assert.deepEqual([it.works(first), it.works(third)], [false, false]);
  });
});

Deno.test("TokenService knows after a restart which token is in grace, though an older one was, too", async () => {
  await withVault({}, async (it) => {
    // Whatever the order of the hashes: with eight users each order occurs.
    const users = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for (const user of users) await it.issue(user);
    for (const user of users) await it.vault.tokens.rotate({ user, graceSeconds: 1 });
    it.clock.advance(2000);
    for (const user of users) await it.vault.tokens.rotate({ user, graceSeconds: 600 });
    await it.restart();
    for (const user of users) assert.equal(it.vault.tokens.show(user).graceUntil, it.clock.wall + 600_000, user);
  });
});

Deno.test("TokenService.rotate() refuses a grace that is negative, no whole number of seconds, or above a day", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    for (const graceSeconds of [-1, 0.5, 86_401, NaN, Infinity]) {
      await assert.rejects(it.vault.tokens.rotate({ user: "alice", graceSeconds }), refused("invalid_argument"));
    }
    await assert.rejects(it.vault.tokens.rotate({ user: "alice", expiresDays: 0 }), refused("invalid_argument"));
    await assert.rejects(it.vault.tokens.rotate({ user: "nobody" }), refused("not_found"));
    assert.ok(it.works(token));
  });
});

Deno.test("TokenService.rotate() that can't be saved leaves the old token working", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    it.store.failNext();
    await assert.rejects(it.vault.tokens.rotate({ user: "alice" }), refused("storage_failed"));
    assert.ok(it.works(token));
    assert.equal(it.vault.tokens.count(), 1);
  });
});

Deno.test("TokenService.rotate() copes with the days that old files name: none of issue, or an end in the year 9999", async () => {
  const tokens = `tokens:
  - { user: old, token: evt_0, role: member, expires: '2026-06-18' }
  - { user: far, token: evt_1, role: member, created: '2026-03-20', expires: '9999-12-31' }
  - { user: past, token: evt_2, role: member, created: '2026-03-20', expires: '2020-01-01' }
`;
  await withVault({ tokens }, async (it) => {
    const rotated = async (user: string) => lastValidDay((await it.vault.tokens.rotate({ user })).expiresAt!);
    assert.equal(await rotated("old"), "2026-06-18", "90 days, where no file told");
    assert.equal(await rotated("far"), "2036-03-17", "ten years, the longest there is");
    assert.equal(await rotated("past"), "2026-03-21");
  });
});

Deno.test("TokenService.revoke() ends the current token and the one in grace, and raises the epoch, in one commit", async () => {
  await withVault({}, async (it) => {
    const { tokens, users } = it.vault;
    const old = await it.issue("alice");
    const fresh = (await tokens.rotate({ user: "alice", graceSeconds: 600 })).token;
    const before = it.disk.sequence;
    const revoked = await tokens.revoke("alice");
    assert.equal(it.disk.sequence, before + 1);
    assert.equal(revoked.user, "alice");
    assert.deepEqual([it.works(old), it.works(fresh)], [false, false]);
    assert.equal(users.show("alice").epoch, 2);
    assert.equal(users.show("alice").token, null);
    assert.deepEqual(storedTokens(it).map((record) => record.ended), ["revoked", "revoked"]);
    await assert.rejects(tokens.revoke("alice"), refused("not_found"));
    await assert.rejects(tokens.revoke("nobody"), refused("not_found"));
    assert.throws(() => tokens.show("alice"), refused("not_found"));
    await it.restart();
    assert.deepEqual([it.works(old), it.works(fresh)], [false, false]);
  });
});

Deno.test("TokenService.revoke() that can't be saved is not answered, and the token goes on working", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    it.store.failNext();
    await assert.rejects(it.vault.tokens.revoke("alice"), refused("storage_failed"));
    assert.ok(it.works(token));
    assert.equal(it.vault.users.show("alice").epoch, 1);
    await it.vault.tokens.revoke("alice");
    assert.equal(it.works(token), false);
  });
});

Deno.test("TokenService gives new tokens the newest version of the team secret, and old ones keep theirs", async () => {
  await withVault({}, async (it) => {
    const { tokens, secrets } = it.vault;
    await it.issue("alice");
    await secrets.rotate();
    assert.equal(tokens.show("alice").secretVersion, 1);
    assert.equal((await tokens.rotate({ user: "alice" })).secretVersion, 2);
    await it.restart();
    assert.equal(it.vault.tokens.show("alice").secretVersion, 2);
  });
});

Deno.test("TokenService.list() pages through current tokens in the order of their users' making, without gap or double", async () => {
  await withVault({}, async (it) => {
    const { tokens } = it.vault;
    const users = Array.from({ length: 25 }, (_, i) => `user${i}`);
    for (const user of users) await it.issue(user);
    for (const user of ["user0", "user7", "user24"]) await tokens.revoke(user);
    const expected = users.filter((user) => !["user0", "user7", "user24"].includes(user));
    assert.deepEqual([...tokens.list()].map((row) => row.user), expected);
    const paged: string[] = [];
    let page = [...tokens.list({ limit: 4 })];
    while (page.length > 0) {
      paged.push(...page.map((row) => row.user));
      page = [...tokens.list({ after: paged.at(-1)!, limit: 4 })];
    }
    assert.deepEqual(paged, expected);
    assert.deepEqual([...tokens.list({ limit: 0 })], []);
    assert.deepEqual([...tokens.list({ after: "user6", limit: 1 })].map((row) => row.user), ["user8"]);
    assert.deepEqual(
      [...tokens.list({ after: "user0", limit: 1 })].map((row) => row.user),
      ["user1"],
      "a user without a token",
    );
    assert.throws(() => [...tokens.list({ after: "nobody" })], refused("not_found"));
    assert.equal(tokens.count(), expected.length);
  });
});
