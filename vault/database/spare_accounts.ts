/**
 * Names that are written down before anybody asks for an account: with one of them the account is made while its lease is still
 * on its way to the disk, and is found again whatever dies in between.
 *
 * @module
 */

import { asVaultError } from "../errors.ts";
import type { LeaseSurroundings } from "../leases/lease_endings.ts";
import type { AlongWithLease } from "../leases/leases.ts";
import type { RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { DatabaseConnectionRecord, DatabaseRoleRecord, LeaseRecord } from "../storage/database_records.ts";
import type { MountRecord } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import { DoubtfulAccounts } from "./doubtful_accounts.ts";
import { leaseIdOf } from "./lease_ids.ts";
import type { OpenConnection } from "./open_connection.ts";
import { randomText } from "./random_text.ts";
import { roleKey } from "./roles.ts";

/** As many as accounts of a role were ever made at the same time, and no more than this. */
const MAX_OF_ROLE = 8;
const MAX_IN_ALL = 1000;

/** What spares need. */
export interface SpareSurroundings extends LeaseSurroundings {
  readonly random: RandomSource;
}

/** Whom an account is made for, and where. */
export interface SpareUse {
  readonly open: OpenConnection;
  readonly role: DatabaseRoleRecord;
  readonly mount: MountRecord;
}

/** Those that are ready for a role as it is, on a connection as it is. */
interface Pool {
  readonly role: DatabaseRoleRecord;
  readonly connection: DatabaseConnectionRecord;
  readonly ready: string[];
  /** How many the commit after this sequence adds. */
  adding: { readonly after: number; count: number };
}

/**
 * Ends of names of accounts to come. Each is on disk, with all that it takes to find its account and take it away, until the
 * commit that writes a lease for it.
 */
export class SpareAccounts {
  readonly #in: SpareSurroundings;
  readonly #pools = new Map<string, Pool>();
  /** Whether accounts can be found on a server by the end of their names. */
  readonly #findable = new WeakMap<OpenConnection, boolean>();
  readonly #doubtful: DoubtfulAccounts;
  #isClosed = false;

  constructor(surroundings: SpareSurroundings) {
    this.#in = surroundings;
    this.#doubtful = new DoubtfulAccounts(surroundings);
    surroundings.writer.addBookkeeping((writes) => writes.flatMap((write) => this.#planFollowing(write)));
  }

  /** Has the accounts looked for that those of before may have been used for. */
  start(): void {
    this.#doubtful.start();
  }

  /** The end of a name for an account of a role; undefined: none is ready. Its account may be made at once. */
  take({ open, role }: SpareUse): string | undefined {
    const pool = this.#pools.get(keyOf(role));
    return pool?.role === role && pool.connection === open.record ? pool.ready.pop() : undefined;
  }

  /** What is written with the lease of an account: the next spare, and that `used` is none any more. */
  along(use: SpareUse, used?: string): AlongWithLease {
    let next: LeaseRecord | undefined;
    return {
      plan: () => {
        next = this.#next(use);
        return [
          ...(used === undefined ? [] : [removal(used)]),
          ...(next === undefined ? [] : [addition(next)]),
        ];
      },
      written: () => {
        if (next !== undefined) this.#poolOf(use).ready.push(next.account.username);
      },
    };
  }

  /** Finds out, once a connection, whether spares can be had there: whoever may not look for accounts finds none again. */
  async learn({ open }: SpareUse): Promise<void> {
    if (open.ownTemplate !== undefined || this.#findable.has(open)) return;
    this.#findable.set(open, false);
    try {
      const end = `-${randomText(this.#in.random, open.randomLength)}`;
      const found = await open.hold(() => open.ask("look", [], (server) => server.accountsEnding(end)));
      this.#findable.set(open, found !== undefined);
    } catch {
      // The next account has it asked again.
      this.#findable.delete(open);
    }
  }

  /** There may be an account of this name, and there won't be a lease: it is looked for until it is certain to be gone. */
  giveUp(spare: string): void {
    this.#doubtful.add(spare);
  }

  /** Forgets those that nobody was given; of the others the next start makes sure. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#doubtful.close();
    const unused = [...this.#pools.values()].flatMap(({ ready }) => ready.splice(0));
    this.#pools.clear();
    if (unused.length === 0) return;
    try {
      await this.#in.writer.change(() => ({ writes: unused.map(removal), result: () => {} }));
    } catch (error) {
      this.#in.logger.log("warn", "spare_accounts_left", { spares: unused.length, reason: reasonOf(error) });
    }
  }

  /** What is written down for a spare; undefined: there shall be no more. */
  #next(use: SpareUse): LeaseRecord | undefined {
    const { open, role, mount } = use;
    const { random, clock } = this.#in;
    if (!this.#isServed(use) || !this.#hasRoom(this.#poolOf(use))) return undefined;
    const { connection, revocation } = role;
    const username = `-${randomText(random, open.randomLength)}`;
    const now = clock.now();
    return {
      id: leaseIdOf(mount, role.name, random),
      mountAccessor: mount.accessor,
      tokenHash: "",
      entityId: "",
      role: role.name,
      issuedAt: now,
      expiresAt: now,
      renewedAt: null,
      maxExpiresAt: now,
      defaultTtl: 0,
      state: "ending",
      isUncertain: true,
      account: { connection, place: open.place, username, isNameEnd: true, revocation, renewal: [] },
    };
  }

  /** Whether a role and its connection are still what they were, and accounts are found again there. */
  #isServed({ open, role }: SpareUse): boolean {
    const { state } = this.#in;
    return !this.#isClosed && this.#findable.get(open) === true &&
      state.table("database_role").get(keyOf(role)) === role &&
      state.table("database_connection").get(roleKey(role.mountAccessor, role.connection)) === open.record;
  }

  /** Takes a place for one more. */
  #hasRoom(pool: Pool): boolean {
    const { state } = this.#in;
    // Requests that share a commit don't see what it adds.
    if (pool.adding.after !== state.sequence) pool.adding = { after: state.sequence, count: 0 };
    if (pool.ready.length + pool.adding.count >= MAX_OF_ROLE) return false;
    if (state.table("spare_account").size >= MAX_IN_ALL) return false;
    pool.adding.count++;
    return true;
  }

  #poolOf({ open, role }: SpareUse): Pool {
    const key = keyOf(role);
    const present = this.#pools.get(key);
    if (present?.role === role && present.connection === open.record) return present;
    const pool: Pool = { role, connection: open.record, ready: [], adding: { after: -1, count: 0 } };
    this.#pools.set(key, pool);
    return pool;
  }

  /** Spares of a role or a connection that changes are of no use any more, and nobody was given them. */
  #planFollowing({ kind, key }: Write): Write[] {
    if (kind !== "database_role" && kind !== "database_connection") return [];
    const pools = [...this.#pools].filter(([role, { connection }]) =>
      kind === "database_role" ? role === key : roleKey(connection.mountAccessor, connection.name) === key
    );
    for (const [role] of pools) this.#pools.delete(role);
    return pools.flatMap(([, { ready }]) => ready.splice(0).map(removal));
  }
}

/** The writes that forget all spares, whatever they were used for: of a store that is older than what was done since. */
export function planEndOfSpares(state: VaultState): Write[] {
  return [...state.table("spare_account").keys()].map(removal);
}

function addition(lease: LeaseRecord): Write {
  return { kind: "spare_account", key: lease.account.username, value: lease };
}

function removal(spare: string): Write {
  return { kind: "spare_account", key: spare };
}

function keyOf({ mountAccessor, name }: DatabaseRoleRecord): string {
  return roleKey(mountAccessor, name);
}

function reasonOf(error: unknown): string {
  return asVaultError(error).message;
}
