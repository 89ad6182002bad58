/**
 * Leases as a cut-off sees them: accounts on other servers, which go when those servers answer.
 *
 * @module
 */

import type { Leases } from "../leases/leases.ts";
import type { LeaseRecord } from "../storage/database_records.ts";
import type { AccountsElsewhere, PendingAccount } from "./cut_off.ts";

/** The accounts that leases stand for. */
export class LeasedAccounts implements AccountsElsewhere {
  readonly #leases: Leases;

  constructor(leases: Leases) {
    this.#leases = leases;
  }

  countOf(entityId: string): number {
    return this.#leases.index.ofEntity(entityId).filter(({ state }) => state !== "ending").length;
  }

  pendingOf(entityId: string): readonly PendingAccount[] {
    return this.#leases.index.ofEntity(entityId).map(toPending);
  }

  /** One that is being made is left to whoever makes it: they find its token ended, and take it away. */
  async gone(leaseIds: readonly string[], timeoutMs: number): Promise<void> {
    const ending = leaseIds.filter((id) => this.#leases.index.get(id)?.state === "ending");
    await this.#leases.endings.gone(ending, timeoutMs);
  }
}

function toPending({ id, account, endingSince, issuedAt, lastError }: LeaseRecord): PendingAccount {
  return {
    leaseId: id,
    account: `${account.username} on ${account.connection}`,
    since: endingSince ?? issuedAt,
    reason: lastError ?? null,
  };
}
