/**
 * Logs that somebody without the right to it tries the admin API, without letting them fill the log.
 *
 * @module
 */

import type { VaultErrorKind } from "../vault/errors.ts";
import type { Clock, Logger } from "../vault/ports.ts";

/** One line a minute tells an operator as much as a thousand. */
const QUIET_MS = 60_000;

const SUSPICIOUS: ReadonlySet<VaultErrorKind> = new Set(["token_invalid", "scope_denied"]);

/** The first refusal of a kind is logged, then one line a minute with the number since the last. */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #seen = new Map<VaultErrorKind, { lastAt: number; since: number }>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Notes a refused request that came through the given kind of listener. */
  note(kind: VaultErrorKind, door: string): void {
    if (!SUSPICIOUS.has(kind)) return;
    const now = this.#clock.monotonic();
    const seen = this.#seen.get(kind) ?? { lastAt: -Infinity, since: 0 };
    const since = seen.since + 1;
    const isQuiet = now - seen.lastAt < QUIET_MS;
    this.#seen.set(kind, isQuiet ? { lastAt: seen.lastAt, since } : { lastAt: now, since: 0 });
    if (!isQuiet) this.#logger.log("warn", "admin_refused", { kind, door, count: since });
  }
}
