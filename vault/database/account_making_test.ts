import { deepEqual, equal, rejects } from "node:assert/strict";
import process from "node:process";
import { postgresPlugin } from "../../databases/postgres.ts";
import { MemoryStore } from "../../tests/fakes/memory_store.ts";
import { FakeClock, MemoryLogger } from "../../tests/fakes/ports.ts";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { refused } from "../_test_support.ts";
import { leaseRecord, NOW } from "../leases/_test_support.ts";
import { Leases } from "../leases/leases.ts";
import { VaultState } from "../state.ts";
import type { DatabaseConnectionRecord, DatabaseRoleRecord, LeaseRecord } from "../storage/database_records.ts";
import { Writer } from "../writer.ts";
import { AccountMaking, type WantedAccount } from "./account_making.ts";
import { OpenConnection } from "./open_connection.ts";
import { SpareAccounts } from "./spare_accounts.ts";

const END = "-abcdefghij";
const ROLE: DatabaseRoleRecord = {
  mountAccessor: "database_1",
  name: "reader",
  connection: "main",
  creation: ["CREATE {{name}}"],
  revocation: [],
  rollback: ["ROLL BACK {{name}}"],
  renewal: [],
  defaultTtl: 3600,
  maxTtl: 0,
};
const CONNECTION: DatabaseConnectionRecord = {
  mountAccessor: "database_1",
  name: "main",
  pluginName: "postgresql-database-plugin",
  pluginVersion: "",
  allowedRoles: ["*"],
  rootRotationStatements: [],
  passwordPolicy: "",
  sealed: "",
};
const DETAILS = {
  connection_url: "postgresql://{{username}}:{{password}}@db/app",
  username: "vault",
  password: "secret",
};

function lease(username: string): LeaseRecord {
  const account = { connection: "main", place: "db:5432", username, revocation: [], renewal: [] };
  return leaseRecord(username, { maxExpiresAt: NOW + 3_600_000, account });
}

/** What makes accounts, over a server that is a list of what it was asked. */
class Making {
  readonly asked: string[] = [];
  readonly store = new MemoryStore();
  isLive = true;
  /** Called when statements are there. */
  onRun: (() => void) | undefined;
  #state!: VaultState;
  #writer!: Writer;
  #making!: AccountMaking;
  #leases!: Leases;
  #spares!: SpareAccounts;
  readonly #open: OpenConnection;

  constructor() {
    const run = async (statements: readonly string[]) => {
      // As drivers do: what they are given leaves once all that can go on at once has.
      await new Promise<void>((resolve) => process.nextTick(resolve));
      this.asked.push(...statements);
      this.onRun?.();
    };
    const end = (username: string) => {
      this.asked.push(`DROP ${username}`);
      return Promise.resolve({ wasThere: true, hasEndedSessions: true });
    };
    const others = {
      ping: () => Promise.resolve(),
      hasAccount: () => Promise.resolve(false),
      close: () => Promise.resolve(),
    };
    const server = { ...others, run, end, accountsEnding: () => Promise.resolve([]) };
    const around = { clock: new FakeClock(NOW), observe: () => {}, notClosed: () => {} };
    this.#open = new OpenConnection(CONNECTION, { ...postgresPlugin, open: () => server }, DETAILS, around);
  }

  async start(): Promise<void> {
    await this.store.commit([{ kind: "spare_account", key: END, value: { ...lease(END), state: "ending" } }], 0);
    const state = this.#state = await VaultState.load(this.store);
    const writer = this.#writer = new Writer(this.store, state);
    const around = {
      state,
      writer,
      clock: new FakeClock(NOW),
      logger: new MemoryLogger(),
      random: seededRandom("spares"),
    };
    const backend = {
      end: ({ account }: LeaseRecord) => this.#open.ask("revoke", [], (it) => it.end(account.username, [])),
    };
    this.#leases = new Leases(around, {
      end: async (it) => ({ ...await backend.end(it), warnings: [] }),
      renew: () => Promise.resolve(),
    });
    this.#spares = new SpareAccounts(around);
    this.#making = new AccountMaking(this.#leases, this.#spares);
  }

  make(username: string, spare?: string): Promise<void> {
    const mount = { accessor: "database_1", path: "database/" } as WantedAccount["mount"];
    const isStillLive = () => this.isLive;
    return this.#making.make({
      open: this.#open,
      role: ROLE,
      mount,
      lease: lease(username),
      password: "a-password",
      spare,
      isStillLive,
    });
  }

  /** Names of accounts with a lease, and ends of names that are set aside; on disk. */
  onDisk(): { leases: string[]; spares: string[] } {
    const leases = [...this.store.disk.table("lease").values()].map((text) => JSON.parse(text) as LeaseRecord);
    const told = leases.map(({ account, state, isUncertain }) =>
      `${account.username} ${state}${isUncertain ? ", uncertain" : ""}`
    );
    return { leases: told, spares: [...this.store.disk.table("spare_account").keys()] };
  }

  async settled(): Promise<void> {
    await this.#leases.endings.close();
    await this.#spares.close();
    await new Promise((resolve) => setTimeout(resolve));
    await this.#writer.settled();
  }
}

async function withMaking(use: (it: Making) => Promise<void>): Promise<void> {
  const it = new Making();
  await it.start();
  try {
    await use(it);
  } finally {
    await it.settled();
  }
}

Deno.test("without a name on disk the lease is there before the account", async () => {
  await withMaking(async (it) => {
    let seen: string[] = [];
    it.onRun = () => seen = it.onDisk().leases;
    await it.make("v-alice-x");
    deepEqual([it.asked, seen], [["CREATE v-alice-x"], ["v-alice-x live"]]);
  });
});

Deno.test("with one the server is asked first, and the lease takes the name's place in one commit", async () => {
  await withMaking(async (it) => {
    let commits = 0;
    it.onRun = () => commits = it.store.asked.length;
    await it.make(`v-alice${END}`, END);
    deepEqual([it.asked, commits, it.store.asked.length], [[`CREATE v-alice${END}`], 1, 2]);
    deepEqual(it.onDisk(), { leases: [`v-alice${END} live`], spares: [] });
  });
});

Deno.test("a refusal leaves neither account nor lease; the operator's rollback comes first", async () => {
  for (const spare of [undefined, END]) {
    await withMaking(async (it) => {
      it.onRun = () => {
        it.onRun = undefined;
        throw Object.assign(new Error("no such table"), { severity: "ERROR", code: "42P01" });
      };
      const username = `v-alice${END}`;
      await rejects(it.make(username, spare), refused("upstream_failed", /no such table/));
      deepEqual(it.asked, [`CREATE ${username}`, `ROLL BACK ${username}`, `DROP ${username}`]);
      deepEqual(it.onDisk().leases, []);
    });
  }
});

Deno.test("where nobody heard the answer, the lease says that there may be an account", async () => {
  await withMaking(async (it) => {
    it.onRun = () => {
      it.onRun = undefined;
      throw new Error("cut off");
    };
    await rejects(it.make(`v-alice${END}`, END), refused("upstream_failed", /cut off/));
    deepEqual(it.onDisk(), { leases: [`v-alice${END} ending, uncertain`], spares: [] });
  });
});

Deno.test("a commit that fails, or a token that ended, takes the account away before the answer", async () => {
  for (const cause of ["storage_failed", "permission_denied"] as const) {
    await withMaking(async (it) => {
      if (cause === "storage_failed") it.store.failNext();
      else it.isLive = false;
      const username = `v-alice${END}`;
      let askedThen: string[] = [];
      await rejects(it.make(username, END).finally(() => askedThen = [...it.asked]), refused(cause, /./));
      deepEqual(askedThen, [`CREATE ${username}`, `DROP ${username}`]);
      await it.settled();
      equal(it.onDisk().spares.length, 0);
      deepEqual(it.onDisk().leases, [`${END} ending`], "looked for once more, by the end of its name");
    });
  }
});
