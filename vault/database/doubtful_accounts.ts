/**
 * Names that were set aside, and of which nobody knows whether there is an account: each becomes a lease that ends.
 *
 * @module
 */

import { inBackground } from "../audit/request.ts";
import { asVaultError } from "../errors.ts";
import type { LeaseSurroundings } from "../leases/lease_endings.ts";
import { retryDelayMs } from "../retry_delay.ts";
import type { Write } from "../storage/store.ts";

/** Spares that may have become accounts without leases. */
export class DoubtfulAccounts {
  readonly #in: LeaseSurroundings;
  readonly #spares: Set<string>;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** Begins with all that are on disk: whoever wrote them is gone. */
  constructor(surroundings: LeaseSurroundings) {
    this.#in = surroundings;
    this.#spares = new Set(surroundings.state.table("spare_account").keys());
  }

  /** Has the accounts looked for that those of before may have been used for. */
  start(): void {
    if (this.#spares.size > 0) void this.#takeBack();
  }

  /** One more: its account is looked for until it is certain to be gone. */
  add(spare: string): void {
    this.#spares.add(spare);
    if (this.#timer === undefined) void this.#takeBack();
  }

  /** Stops; what is left is on disk for the next start. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Makes leases of those in doubt, which end as others do; as long as the store takes none it is tried again. */
  async #takeBack(): Promise<void> {
    const spares = [...this.#spares];
    try {
      await inBackground(
        "take_accounts_back",
        () =>
          this.#in.writer.change(() => ({
            writes: spares.flatMap((spare) => this.#planLease(spare)),
            result: () => {},
          })),
      );
      for (const spare of spares) this.#spares.delete(spare);
      this.#failures = 0;
    } catch (error) {
      const delay = retryDelayMs(++this.#failures);
      this.#in.logger.log("warn", "spare_accounts_left", {
        spares: spares.length,
        reason: asVaultError(error).message,
        retry_ms: delay,
      });
      this.#retryIn(delay);
    }
  }

  #retryIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#takeBack();
    }, ms);
  }

  #planLease(spare: string): Write[] {
    const lease = this.#in.state.table("spare_account").get(spare);
    if (lease === undefined) return [];
    const endingSince = this.#in.clock.now();
    return [{ kind: "spare_account", key: spare }, { kind: "lease", key: lease.id, value: { ...lease, endingSince } }];
  }
}
