/**
 * Whether the clock can be trusted with what can't be undone.
 *
 * Look-ups always refuse what has expired by the wall clock. Ending it for good waits while that clock is in doubt: a
 * machine whose battery failed, or whoever sets its time, must not end every token of a team at once. Hence three
 * witnesses: the wall clock, the monotonic clock beside it, and the last moment that was written to the store.
 *
 * @module
 */

import { DAY_MS } from "./dates.ts";
import type { Clock, Logger } from "./ports.ts";
import type { VaultState } from "./state.ts";
import type { Writer } from "./writer.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** How far the wall clock may outrun the monotonic one. */
const MAX_DRIFT_MS = HOUR_MS;
/** Clocks of good machines drift apart as well: this share of the time that has passed is no step. */
const NATURAL_DRIFT = 0.001;
/** How long a vault may have been away without anybody being asked. */
const MAX_ABSENCE_MS = 30 * DAY_MS;
/** How long the two clocks must agree after a step before it is believed, and how closely. */
const AGREEMENT_MS = 10 * MINUTE_MS;
const AGREEMENT_TOLERANCE_MS = 5 * SECOND_MS;
/** How often the present moment is written down. */
const TICK_MS = HOUR_MS;
const CHECK_MS = 15 * SECOND_MS;
const TICK_KEY = "clock_tick";

/** What the guard thinks of the clock. */
export interface ClockStatus {
  /** `doubted`: nothing is ended because of its expiry. */
  readonly state: "trusted" | "doubted";
  /** Why it is doubted; null while it is trusted. */
  readonly reason: string | null;
}

/** Where the guard finds its surroundings. */
export interface ClockGuardParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: VaultState;
  readonly writer: Writer;
}

/** Both clocks at one moment. */
interface Reading {
  readonly wall: number;
  readonly steady: number;
}

/** What began a doubt: the clocks must agree with this reading for a while. */
interface Doubt {
  readonly reason: string;
  agreedSince: Reading;
}

/** The guard of one running vault. */
export class ClockGuard {
  readonly #in: ClockGuardParts;
  /** The last reading that was believed; the clocks are compared from there on. */
  #trusted: Reading;
  #doubt: Doubt | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Compares the wall clock with the last stored moment. */
  constructor(parts: ClockGuardParts) {
    this.#in = parts;
    this.#trusted = this.#read();
    const tick = this.#lastTick;
    if (tick === null || this.#trusted.wall <= tick + MAX_ABSENCE_MS) return;
    const away = Math.floor((this.#trusted.wall - tick) / DAY_MS);
    this.#begin(`the clock says that the vault was away for ${away} days`, this.#trusted);
  }

  /** Whether what has expired may be ended for good now. Asks the clocks each time. */
  mayCommitExpiry(): boolean {
    const now = this.#read();
    if (this.#doubt === null) this.#watchForStep(now);
    else this.#watchForAgreement(this.#doubt, now);
    return this.#doubt === null;
  }

  /** What the guard thinks now. */
  status(): ClockStatus {
    return this.mayCommitExpiry() ? { state: "trusted", reason: null } : {
      state: "doubted",
      reason: this.#doubt!.reason,
    };
  }

  /**
   * Believes the clock as it is now, because an operator says so, and writes the moment down.
   *
   * @throws {VaultError} `storage_failed`; the clock is believed until the next start then.
   */
  async accept(): Promise<ClockStatus> {
    if (this.#doubt !== null) this.#end("accepted by an operator", this.#read());
    else this.#trusted = this.#read();
    await this.tick();
    return this.status();
  }

  /** Writes the present moment down, unless the clock is doubted or a later one is there. */
  tick(): Promise<void> {
    return this.#in.writer.change(() => {
      const now = this.#in.clock.now();
      const isNews = this.mayCommitExpiry() && now > (this.#lastTick ?? -Infinity);
      return { writes: isNews ? [{ kind: "meta", key: TICK_KEY, value: { value: now } }] : [], result: () => {} };
    });
  }

  /** Watches the clock and writes it down each hour until {@link close}. */
  start(): void {
    let next = -Infinity;
    const look = () => {
      const { steady } = this.#read();
      if (!this.mayCommitExpiry() || steady < next) return;
      next = steady + TICK_MS;
      this.tick().catch((error) => {
        const reason = error instanceof Error ? error.message : "unknown";
        this.#in.logger.log("error", "clock_tick_failed", { reason });
      });
    };
    look();
    this.#timer = setInterval(look, CHECK_MS);
  }

  /** Stops watching. */
  close(): void {
    clearInterval(this.#timer);
  }

  get #lastTick(): number | null {
    const tick = this.#in.state.meta.get(TICK_KEY);
    return typeof tick === "number" ? tick : null;
  }

  #read(): Reading {
    return { wall: this.#in.clock.now(), steady: this.#in.clock.monotonic() };
  }

  #watchForStep(now: Reading): void {
    const drift = driftBetween(this.#trusted, now);
    const natural = NATURAL_DRIFT * (now.steady - this.#trusted.steady);
    if (drift < -MAX_DRIFT_MS) this.#trusted = now;
    if (drift <= MAX_DRIFT_MS + natural) return;
    this.#begin(`the clock went forward by ${Math.round(drift / MINUTE_MS)} minutes at once`, now);
  }

  /** A clock that goes on stepping agrees with nothing; one that was put back is what it was before. */
  #watchForAgreement(doubt: Doubt, now: Reading): void {
    if (this.#isBack(now)) {
      const trusted = driftBetween(this.#trusted, now) < 0 ? now : this.#trusted;
      return this.#end("the clock was put back", trusted);
    }
    if (Math.abs(driftBetween(doubt.agreedSince, now)) > AGREEMENT_TOLERANCE_MS) doubt.agreedSince = now;
    else if (now.steady - doubt.agreedSince.steady >= AGREEMENT_MS) this.#end("ten minutes of agreement", now);
  }

  #isBack(now: Reading): boolean {
    const tick = this.#lastTick;
    if (tick !== null && now.wall > tick + MAX_ABSENCE_MS) return false;
    return driftBetween(this.#trusted, now) <= MAX_DRIFT_MS;
  }

  #begin(reason: string, now: Reading): void {
    this.#doubt = { reason, agreedSince: now };
    const hint = "run `runevault clock accept` if the time is right; until then what expires is refused, not ended";
    this.#in.logger.log("warn", "clock_doubted", { reason, hint });
  }

  #end(why: string, trusted: Reading): void {
    this.#doubt = null;
    this.#trusted = trusted;
    this.#in.logger.log("info", "clock_trusted", { reason: why });
  }
}

/** By how much the wall clock ran ahead of the monotonic one from one reading to another, in milliseconds. */
function driftBetween(from: Reading, to: Reading): number {
  return (to.wall - from.wall) - (to.steady - from.steady);
}
