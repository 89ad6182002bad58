import { deepEqual, equal } from "node:assert/strict";
import { MemoryStore } from "../../tests/fakes/memory_store.ts";
import { FakeClock, MemoryLogger } from "../../tests/fakes/ports.ts";
import { leaseRecord, NOW } from "../leases/_test_support.ts";
import { VaultState } from "../state.ts";
import type { LeaseRecord } from "../storage/database_records.ts";
import type { Store } from "../storage/store.ts";
import { Writer } from "../writer.ts";
import { DoubtfulAccounts } from "./doubtful_accounts.ts";

function spare(end: string): LeaseRecord {
  return leaseRecord(end, {
    tokenHash: "",
    entityId: "",
    issuedAt: NOW - 1000,
    expiresAt: NOW - 1000,
    maxExpiresAt: NOW - 1000,
    defaultTtl: 0,
    state: "ending",
    isUncertain: true,
    account: { connection: "main", place: "db:1", username: end, isNameEnd: true, revocation: [], renewal: [] },
  });
}

/** A vault's doubts about accounts whose names end so. */
async function withSpares(ends: readonly string[], use: (it: Doubts) => Promise<void>): Promise<void> {
  const store = new MemoryStore();
  const writes = ends.map((end) => ({ kind: "spare_account", key: end, value: spare(end) }) as const);
  await store.commit(writes, 0);
  const it = new Doubts(store, await VaultState.load(store));
  try {
    await use(it);
  } finally {
    it.accounts.close();
  }
}

class Doubts {
  readonly logger = new MemoryLogger();
  readonly accounts: DoubtfulAccounts;
  readonly #writer: Writer;

  constructor(readonly store: MemoryStore, readonly state: VaultState) {
    this.#writer = new Writer(store satisfies Store, state);
    this.accounts = new DoubtfulAccounts({
      state,
      writer: this.#writer,
      logger: this.logger,
      clock: new FakeClock(NOW),
    });
  }

  /** What is on disk once everything that was begun has ended: ends of names, and names of leases. */
  async left(): Promise<{ spares: string[]; leases: string[] }> {
    await new Promise((resolve) => setTimeout(resolve));
    await this.#writer.settled();
    const keys = (kind: "spare_account" | "lease") => [...this.store.disk.table(kind).keys()].sort();
    return { spares: keys("spare_account"), leases: keys("lease").map((id) => id.split("/").at(-1)!) };
  }

  async until(holds: () => boolean): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error("not within 20 s");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

Deno.test("what is on disk at a start becomes leases that end, all in one commit", async () => {
  await withSpares(["-a", "-b"], async (it) => {
    deepEqual(await it.left(), { spares: ["-a", "-b"], leases: [] }, "not before the start");
    it.accounts.start();
    deepEqual(await it.left(), { spares: [], leases: ["-a", "-b"] });
    equal(it.store.asked.length, 2, "the one that wrote them, and this");
    const lease = it.state.table("lease").get("database/creds/reader/-a");
    deepEqual(lease, { ...spare("-a"), endingSince: NOW }, "uncertain as before, with its end of a name");
  });
});

Deno.test("one that is given up is a lease at once, however often, and none where a lease has taken its place", async () => {
  await withSpares(["-a", "-b"], async (it) => {
    it.accounts.start();
    await it.left();
    await it.store.commit([{ kind: "spare_account", key: "-c", value: spare("-c") }], it.store.disk.sequence);
    it.state.apply([{ kind: "spare_account", key: "-c", value: spare("-c") }], it.store.disk.sequence);
    it.accounts.add("-c");
    it.accounts.add("-c");
    it.accounts.add("-leased");
    deepEqual(await it.left(), { spares: [], leases: ["-a", "-b", "-c"] });
    deepEqual(it.logger.events, []);
  });
});

Deno.test("where the store takes nothing, they stay on disk and are tried again; not once it is closed", async () => {
  await withSpares(["-a"], async (it) => {
    it.store.failNext();
    it.accounts.start();
    deepEqual(await it.left(), { spares: ["-a"], leases: [] });
    const [{ event, fields }] = it.logger.events as [MemoryLogger["events"][0]];
    deepEqual([event, fields["spares"], fields["retry_ms"]], ["spare_accounts_left", 1, 1000]);
    await it.until(() => it.state.table("lease").size === 1);
    deepEqual(await it.left(), { spares: [], leases: ["-a"] });
  });
  for (const isUnderWay of [true, false]) {
    await withSpares(["-a"], async (it) => {
      it.store.failNext();
      it.accounts.start();
      if (!isUnderWay) await it.left();
      it.accounts.close();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      deepEqual(await it.left(), { spares: ["-a"], leases: [] }, "for the next start");
    });
  }
});
