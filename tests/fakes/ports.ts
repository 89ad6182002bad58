/**
 * The domain's surroundings, made predictable for tests.
 *
 * @module
 */

import type { Clock, Logger, LogLevel, RandomSource } from "../../vault/ports.ts";

/** A clock that stands still until it is moved. */
export class FakeClock implements Clock {
  constructor(public wall: number, public steady = 0) {}

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.steady;
  }

  /** Moves both times on. */
  advance(ms: number): void {
    this.wall += ms;
    this.steady += ms;
  }
}

/** Bytes that count up: never random, never twice the same. */
export function countingRandom(): RandomSource {
  let next = 1;
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = (next * 31 + i) & 0xff;
      next++;
      return bytes;
    },
  };
}

/** One event as it was logged. */
export interface LoggedEvent {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that keeps what it was told. */
export class MemoryLogger implements Logger {
  readonly events: LoggedEvent[] = [];

  log(level: LogLevel, event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.events.push({ level, event, fields });
  }

  /** The names of the events, in order. */
  names(): string[] {
    return this.events.map((entry) => entry.event);
  }

  /** Everything that was logged, as one text to search for what must not be in it. */
  text(): string {
    return JSON.stringify(this.events);
  }
}
