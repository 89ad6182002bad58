import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryDisk, MemoryStore } from "../tests/fakes/memory_store.ts";
import { agentIdOf, VaultState } from "./state.ts";
import type { TokenEnd, UserRecord, UserTokenRecord } from "./storage/records.ts";
import type { Write } from "./storage/store.ts";
import { putToken } from "./tokens/token_service.ts";

function user(entityId: string, name = entityId): UserRecord {
  return { entityId, name, epoch: 1, disabled: false, createdAt: 0 };
}

function putUser(entityId: string, name?: string): Write {
  return { kind: "user", key: entityId, value: user(entityId, name) };
}

function token(number: number, entityId: string, changes: Partial<UserTokenRecord> = {}): UserTokenRecord {
  const tokenHash = number.toString(16).padStart(2, "0").repeat(32);
  return { tokenHash, entityId, epoch: 1, role: "member", secretVersion: 1, issuedAt: 0, expiresAt: null, ...changes };
}

function stateOf(...writes: Write[]): VaultState {
  const state = new VaultState();
  state.apply(writes, 1);
  return state;
}

/** What must come out the same whichever way the records got in. */
function facts(state: VaultState) {
  return {
    live: state.liveTokenCount,
    byRole: [...state.tokensByRole].filter(([, count]) => count !== 0).sort(),
    current: [...state.userList].map(({ record, token }) => [record.entityId, token?.record ?? null]),
    tokens: [...state.tokens].map(([agentId, { record, user }]) => [agentId, record, user.record.entityId]).sort(),
    grace: [...state.graceByUser].sort(),
    roles: [...state.roles].sort(),
    secrets: [...state.secrets].sort(),
    meta: [...state.meta].sort(),
  };
}

Deno.test("VaultState counts a token when it becomes current and no more when it ends", () => {
  const state = stateOf(putUser("a"), putUser("b"));
  state.apply([putToken(token(1, "a")), putToken(token(2, "b", { role: "admin" }))], 2);
  assert.equal(state.liveTokenCount, 2);
  assert.equal(state.tokensByRole.get("member"), 1);
  state.apply([putToken(token(1, "a", { ended: "revoked" }))], 3);
  assert.equal(state.liveTokenCount, 1);
  assert.equal(state.tokensByRole.get("member"), 0);
  assert.equal(state.users.get("a")?.token, null);
  assert.equal(state.users.get("b")?.token?.record.role, "admin");
  assert.equal(state.sequence, 3);
});

Deno.test("VaultState moves the count when a current token changes its role", () => {
  const state = stateOf(putUser("a"), putToken(token(1, "a")));
  state.apply([putToken(token(1, "a", { role: "admin" }))], 2);
  assert.deepEqual([...state.tokensByRole], [["member", 0], ["admin", 1]]);
  assert.equal(state.liveTokenCount, 1);
});

Deno.test("VaultState has the new token current and remembers the one in grace, in whichever order they are written", () => {
  const old = putToken(token(1, "a", { graceUntil: 99 }));
  const fresh = putToken(token(2, "a", { role: "admin" }));
  for (const writes of [[old, fresh], [fresh, old]]) {
    const state = stateOf(putUser("a"), putToken(token(1, "a")));
    state.apply(writes, 2);
    assert.equal(state.users.get("a")?.token?.record.tokenHash, token(2, "a").tokenHash);
    assert.equal(state.graceTokenOf("a")?.record.tokenHash, token(1, "a").tokenHash);
    assert.equal(state.liveTokenCount, 1);
    assert.deepEqual([...state.tokensByRole].filter(([, count]) => count > 0), [["admin", 1]]);
  }
});

Deno.test("VaultState forgets a grace when its token ends", () => {
  const state = stateOf(putUser("a"), putToken(token(1, "a", { graceUntil: 99 })), putToken(token(2, "a")));
  state.apply([putToken(token(1, "a", { graceUntil: 99, ended: "rotated" }))], 2);
  assert.equal(state.graceTokenOf("a"), undefined);
  assert.equal(state.users.get("a")?.token?.record.tokenHash, token(2, "a").tokenHash);
});

Deno.test("VaultState keeps the newer of two tokens in grace, though it is read in the order of hashes", () => {
  const longOver = putToken(token(9, "a", { graceUntil: 10 }));
  const newer = putToken(token(1, "a", { graceUntil: 500 }));
  for (const writes of [[newer, longOver], [longOver, newer]]) {
    assert.equal(stateOf(putUser("a"), ...writes).graceTokenOf("a")?.record.graceUntil, 500);
  }
});

Deno.test("VaultState finds users by exact name and by folded name", () => {
  const state = stateOf(putUser("1", "Alice"), putUser("2", "alice"), putUser("3", "ALICE2"));
  assert.equal(state.userByName("Alice")?.record.entityId, "1");
  assert.equal(state.userByName("alice")?.record.entityId, "2");
  assert.equal(state.userByName("aLICE"), undefined);
  assert.deepEqual(state.usersByFoldedName("ALICE").map((one) => one.record.entityId), ["1", "2"]);
  assert.deepEqual(state.usersByFoldedName("nobody"), []);
});

Deno.test("VaultState keeps a user's place and token when their record changes", () => {
  const state = stateOf(putUser("1", "a"), putUser("2", "b"), putToken(token(1, "1")));
  const before = state.users.get("1");
  state.apply([{ kind: "user", key: "1", value: { ...user("1", "a"), epoch: 2 } }], 2);
  assert.equal(state.users.get("1")?.row, before?.row);
  assert.equal(before?.record.epoch, 2, "what was found before shows what is now");
  assert.deepEqual([...state.userList].map((one) => one.index), [0, 1]);
  assert.equal(before?.token?.record.entityId, "1");
});

Deno.test("VaultState stamps each change of the team secret, and nothing else", () => {
  const state = stateOf(putUser("a"));
  assert.equal(state.secretsStamp, 0);
  const value = { version: 1, state: "active", createdAt: 0, sealed: "", fingerprint: "" } as const;
  state.apply([{ kind: "secret", key: "1", value }], 2);
  state.apply([{ kind: "secret", key: "1", value: { ...value, state: "open-only" } }], 3);
  assert.equal(state.secretsStamp, 2);
});

Deno.test("VaultState deletes roles, meta and file records, and refuses to delete what must outlive everything", () => {
  const role = { name: "r", scope: [], topK: 1, rateLimit: { count: 1, seconds: 1 } };
  const state = stateOf({ kind: "role", key: "r", value: role }, { kind: "meta", key: "m", value: { value: 1 } });
  state.apply([{ kind: "role", key: "r" }, { kind: "meta", key: "m" }, { kind: "file_change", key: "roles/r" }], 2);
  assert.equal(state.roles.size + state.meta.size, 0);
  for (const kind of ["user", "user_token", "secret"] as const) {
    assert.throws(() => state.apply([{ kind, key: "x" }], 3), TypeError);
  }
});

/** A history of one user's tokens as the services write it: at most one current, at most one that grace keeps alive. */
const history = fc.array(
  fc.record({
    who: fc.constantFrom("a", "b", "c"),
    what: fc.constantFrom("issue", "rotate", "grace", "revoke", "role") as fc.Arbitrary<
      "issue" | "rotate" | "grace" | "revoke" | "role"
    >,
    number: fc.integer({ min: 0, max: 255 }),
  }),
  { maxLength: 40, size: "max" },
);

function play(events: readonly { who: string; what: string; number: number }[]): Write[] {
  const writes: Write[] = ["a", "b", "c"].map((id) => putUser(id));
  const current = new Map<string, UserTokenRecord>();
  const inGrace = new Map<string, UserTokenRecord>();
  const used = new Set<number>();
  const end = (record: UserTokenRecord, ended: TokenEnd) => writes.push(putToken({ ...record, ended, endedAt: 1 }));
  let at = 0;
  for (const { who, what, number } of events) {
    at++;
    const now = current.get(who);
    const fresh = token(number, who, { role: number % 2 === 0 ? "member" : "admin" });
    if (what === "role" && now !== undefined) {
      const changed = { ...now, role: "other" };
      writes.push(putToken(changed));
      current.set(who, changed);
    } else if (what === "revoke" && now !== undefined) {
      end(now, "revoked");
      current.delete(who);
    } else if (
      !used.has(number) && (what === "issue") === (now === undefined) && what !== "role" && what !== "revoke"
    ) {
      used.add(number);
      const former = inGrace.get(who);
      if (now !== undefined) {
        if (former !== undefined) end(former, "rotated");
        inGrace.delete(who);
        if (what === "rotate") end(now, "rotated");
        else {
          inGrace.set(who, { ...now, graceUntil: at });
          writes.push(putToken({ ...now, graceUntil: at }));
        }
      }
      writes.push(putToken(fresh));
      current.set(who, fresh);
    }
  }
  return writes;
}

Deno.test("VaultState read back from a store equals the one that lived through the changes", async () => {
  await fc.assert(
    fc.asyncProperty(history, async (events) => {
      const writes = play(events);
      const lived = new VaultState();
      const store = new MemoryStore(new MemoryDisk());
      for (const write of writes) lived.apply([write], await store.commit([write], lived.sequence));
      const loaded = await VaultState.load(store);
      assert.deepEqual(facts(loaded), facts(lived));
      assert.equal(loaded.sequence, writes.length);
      // And both tell what the records themselves say.
      const current = [...lived.tokens.values()].map(({ record }) => record)
        .filter((record) => record.ended === undefined && record.graceUntil === undefined);
      assert.equal(lived.liveTokenCount, current.length);
      for (const record of current) {
        assert.equal(lived.users.get(record.entityId)?.token?.record.tokenHash, record.tokenHash);
      }
      for (const [role, count] of lived.tokensByRole) {
        assert.equal(count, current.filter((record) => record.role === role).length);
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("agentIdOf() is the first 32 digits of the hash", () => {
  assert.equal(agentIdOf("0123456789abcdef".repeat(4)), "0123456789abcdef".repeat(2));
});
