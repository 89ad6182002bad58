import { deepEqual, equal, rejects } from "node:assert/strict";
import { refused, withVault } from "../_test_support.ts";
import type { LeaseRecord } from "../storage/database_records.ts";
import { VaultState } from "../state.ts";
import { Writer } from "../writer.ts";
import { MemoryStore } from "../../tests/fakes/memory_store.ts";
import { FakeClock, MemoryLogger } from "../../tests/fakes/ports.ts";
import { VaultError } from "../errors.ts";
import { leaseRecord as lease, NOW } from "./_test_support.ts";
import { Leases } from "./leases.ts";

/** Leases over accounts that are a set of names. */
async function withLeases(use: (it: TestLeases) => Promise<void>): Promise<void> {
  const store = new MemoryStore();
  const state = await VaultState.load(store);
  const it = new TestLeases(state, new Writer(store, state));
  try {
    await use(it);
  } finally {
    await it.leases.endings.close();
  }
}

class TestLeases {
  readonly clock = new FakeClock(NOW);
  readonly logger = new MemoryLogger();
  readonly accounts = new Set<string>();
  readonly leases: Leases;
  isAway = false;

  readonly #writer: Writer;

  constructor(state: VaultState, writer: Writer) {
    const { clock, logger } = this;
    this.#writer = writer;
    this.leases = new Leases({ state, writer, clock, logger }, {
      end: ({ account: { username } }) => {
        if (this.isAway) return Promise.reject(new VaultError("upstream_failed", "the database is away"));
        return Promise.resolve({ wasThere: this.accounts.delete(username), warnings: [] });
      },
      renew: () => Promise.resolve(),
    });
  }

  /** As a revocation does it. */
  endToken(hash: string): Promise<void> {
    return this.#writer.change(() => ({ writes: this.leases.planEndOfToken({ hash }), result: () => {} }));
  }

  /** Waits until what was begun has ended. */
  async settled(): Promise<void> {
    await this.leases.endings.close();
    await this.#writer.settled();
  }

  async issue(record: LeaseRecord): Promise<boolean> {
    await this.leases.intend(record, () => true);
    this.accounts.add(record.account.username);
    return this.leases.made(record);
  }
}

Deno.test("a lease is nobody's until its account is made", async () => {
  await withLeases(async ({ leases, accounts }) => {
    const one = lease("a");
    await leases.intend(one, () => true);
    deepEqual([leases.find(one.id), leases.list("database"), leases.counts.live], [undefined, [], 1]);
    await leases.forcePrefix("database");
    await leases.revokePrefix("database", true);
    accounts.add("v-a");
    equal(leases.made(one), true);
    deepEqual(leases.list("database"), [one.id]);
  });
});

Deno.test("a token that ends while an account is made ends it as soon as it is there", async () => {
  await withLeases(async (it) => {
    const one = lease("a");
    await rejects(it.leases.intend(one, () => false), refused("permission_denied"));
    equal(it.leases.counts.live, 0);
    await it.leases.intend(one, () => true);
    await it.endToken(one.tokenHash);
    it.accounts.add("v-a");
    equal(it.leases.made(one), false);
    await it.settled();
    deepEqual([[...it.accounts], it.leases.counts], [[], { live: 0, pending: 0 }]);
  });
});

Deno.test("what nobody saw made is looked for once more before its lease is forgotten", async () => {
  await withLeases(async ({ leases, accounts, clock }) => {
    const one = lease("a");
    await leases.intend(one, () => true);
    await leases.abandon(one, true);
    await leases.endings.endNow(one.id);
    deepEqual(leases.counts, { live: 0, pending: 1 }, "it wasn't there, which says nothing yet");
    accounts.add("v-a");
    await leases.endings.endNow(one.id);
    deepEqual([[...accounts], leases.counts.pending], [[], 0], "the server made it late");
    const two = lease("b");
    await leases.intend(two, () => true);
    await leases.abandon(two, true);
    clock.advance(60_000);
    await leases.endings.endNow(two.id);
    equal(leases.counts.pending, 0);
  });
});

Deno.test("S18: an entity has at most 1000 leases, those that wait for their end among them", async () => {
  await withLeases(async (it) => {
    await Promise.all(Array.from({ length: 1000 }, (_, i) => it.issue(lease(`a${i}`))));
    await rejects(it.leases.intend(lease("b"), () => true), refused("rate_limited", /at most 1000 leases/));
    equal(await it.issue(lease("c", { entityId: "bob" })), true);
    equal(await it.issue(lease("d", { entityId: "" })), true, "root has no entity, and no allowance");
    it.isAway = true;
    equal((await it.leases.revoke(lease("a1").id, false)).isQueued, true);
    await rejects(it.leases.intend(lease("b"), () => true), refused("rate_limited"));
    it.isAway = false;
    await it.leases.revoke(lease("a1").id, true);
    equal(await it.issue(lease("b")), true);
    const more = Array.from({ length: 5 }, (_, i) => it.issue(lease(`e${i}`)).catch(() => false));
    deepEqual(await Promise.all(more), [false, false, false, false, false], "also where they come at once");
  });
});

Deno.test("S18: how many leases an entity may have can be set", async () => {
  await withVault({ maxLeases: 0 }, async ({ vault }) => {
    const { leases } = vault.engine.database;
    await rejects(leases.intend(lease("a"), () => true), refused("rate_limited", /at most 0 leases/));
  });
});

Deno.test("a revocation that was waited for and failed leaves the lease as it was; one that wasn't is pending", async () => {
  await withLeases(async (it) => {
    await it.issue(lease("a"));
    it.isAway = true;
    const before = it.leases.find(lease("a").id);
    await rejects(
      it.leases.revoke(lease("a").id, true),
      refused("invalid_argument", /failed to revoke entry: the data/),
    );
    deepEqual(it.leases.find(lease("a").id), before);
    equal((await it.leases.revoke(lease("a").id, false)).isQueued, true);
    const { renewable, ttl } = it.leases.find(lease("a").id)!;
    deepEqual([renewable, ttl, it.leases.counts.pending], [false, 0, 1]);
    await rejects(it.leases.renew(lease("a").id, 60), refused("invalid_argument", /lease expired/));
    it.isAway = false;
    deepEqual(await it.leases.revoke(lease("a").id, true), { isQueued: false, warnings: [] });
  });
});

Deno.test("revoke-prefix goes on past a failure, and says how many there were", async () => {
  await withLeases(async (it) => {
    for (const id of ["a", "b", "c"]) await it.issue(lease(id));
    it.isAway = true;
    await rejects(it.leases.revokePrefix("database/creds", true), refused("invalid_argument", /\(3 \/ 3\)/));
    it.isAway = false;
    await it.leases.revokePrefix("database/creds/reader/a", true);
    deepEqual(it.leases.list("").length, 2);
  });
});

Deno.test("S18: renewing again and again leaves a bounded number of moments to wait for", async () => {
  await withLeases(async (it) => {
    await it.issue(lease("a"));
    for (let i = 0; i < 50; i++) await it.leases.renew(lease("a").id, i % 2 === 0 ? 60 : 3600);
    equal(it.leases.endings.waiting <= 2, true, String(it.leases.endings.waiting));
    it.clock.advance(60_000);
    await it.leases.endings.sweep();
    equal(it.leases.counts.live, 1, "it was renewed for an hour");
    it.clock.advance(3_600_000);
    await it.leases.endings.sweep();
    equal(it.leases.counts.live, 0);
  });
});

Deno.test("the sweep ends what has expired and nothing else", async () => {
  await withLeases(async (it) => {
    await it.issue(lease("short", { expiresAt: NOW + 1000 }));
    await it.issue(lease("long"));
    await it.leases.endings.sweep();
    equal(it.leases.counts.pending, 0);
    it.clock.advance(1000);
    await it.leases.endings.sweep();
    await it.leases.endings.endNow(lease("short").id);
    deepEqual([...it.accounts], ["v-long"]);
  });
});
