/**
 * How an account comes to be: its lease on disk, the account on the server, and neither without the other.
 *
 * @module
 */

import { asVaultError, VaultError } from "../errors.ts";
import type { Leases } from "../leases/leases.ts";
import { nextTurn } from "../slices.ts";
import type { LeaseRecord } from "../storage/database_records.ts";
import type { SpareAccounts, SpareUse } from "./spare_accounts.ts";
import { filled } from "./statements.ts";

/** An account that is wanted. */
export interface WantedAccount extends SpareUse {
  readonly lease: LeaseRecord;
  readonly password: string;
  /** The end of its name, where that is on disk already. */
  readonly spare: string | undefined;
  /** Whether the token that it is for is still good. */
  isStillLive(): boolean;
}

/** Makes accounts. */
export class AccountMaking {
  readonly #leases: Leases;
  readonly #spares: SpareAccounts;

  constructor(leases: Leases, spares: SpareAccounts) {
    this.#leases = leases;
    this.#spares = spares;
  }

  /**
   * Makes an account and its lease. What fails leaves neither.
   *
   * @throws {VaultError} `rate_limited`, `storage_failed`, `upstream_failed`, `permission_denied` where the token ended
   *   meanwhile.
   */
  async make(wanted: WantedAccount): Promise<void> {
    if (wanted.spare === undefined) await this.#oneAfterTheOther(wanted);
    else await this.#atOnce(wanted, wanted.spare);
    if (!this.#leases.made(wanted.lease)) throw new VaultError("permission_denied", "permission denied");
  }

  async #oneAfterTheOther(wanted: WantedAccount): Promise<void> {
    await this.#leases.intend(wanted.lease, () => wanted.isStillLive(), this.#spares.along(wanted));
    try {
      await runCreation(wanted);
    } catch (error) {
      await this.#rollBack(wanted, error);
      throw error;
    }
    void this.#spares.learn(wanted);
  }

  /** The name is on disk, so the account may be there before its lease is. */
  async #atOnce(wanted: WantedAccount, spare: string): Promise<void> {
    const { lease } = wanted;
    const asked = runCreation(wanted);
    const along = { ...this.#spares.along(wanted, spare), before: nextTurn };
    const leasing = this.#leases.intend(lease, () => wanted.isStillLive(), along);
    const [leased, made] = await Promise.allSettled([leasing, asked]);
    if (leased.status === "rejected") {
      await this.#takeBack(wanted, spare);
      throw leased.reason;
    }
    if (made.status === "fulfilled") return;
    await this.#rollBack(wanted, made.reason);
    throw made.reason;
  }

  /** There is no lease, so the account goes now, and where it doesn't, as soon as it can. */
  async #takeBack({ open, role, lease }: WantedAccount, spare: string): Promise<void> {
    const { username } = lease.account;
    const statements = filled(role.revocation, { username });
    await open.ask("revoke", [], (server) => server.end(username, statements)).catch(() => {
      // It is looked for again all the same, and says why it can't be taken away, for as long as it takes.
    });
    this.#spares.giveUp(spare);
  }

  /** What the operator wrote for this comes first; then whatever is left of the account goes. */
  async #rollBack({ open, role, lease }: WantedAccount, failure: unknown): Promise<void> {
    const isUncertain = asVaultError(failure).data?.["isCertain"] !== true;
    const { username } = lease.account;
    if (role.rollback.length > 0 && !isUncertain) {
      const statements = filled(role.rollback, { username });
      await open.ask("roll_back", [], (server) => server.run(statements)).catch(() => {
        // Where they fail as well, the account is dropped like any other.
      });
    }
    await this.#leases.abandon(lease, isUncertain);
  }
}

async function runCreation({ open, role, lease, password }: WantedAccount): Promise<void> {
  const inSql = await open.passwordInSql(password);
  const values = { username: lease.account.username, password: inSql, expiresAt: lease.expiresAt };
  await open.ask("create", [password, inSql], (server) => server.run(filled(role.creation, values)));
}
