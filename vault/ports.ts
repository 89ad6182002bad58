/**
 * What the domain asks of the outside: time, randomness, durable storage and a place to say things.
 * `server/daemon.ts` passes the real ones; tests pass fakes.
 *
 * @module
 */

/** Time. Lifetimes use the wall clock; windows and back-offs use the monotonic one. */
export interface Clock {
  /** Wall time in milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Milliseconds since some fixed moment; never steps back. */
  monotonic(): number;
}

/** A cryptographically secure source of random bytes. */
export interface RandomSource {
  /** Returns `length` fresh random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** The severity of a log event. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured logging: one event a call. Fields must never hold a token, key, secret or plaintext. */
export interface Logger {
  log(level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>): void;
}
