/**
 * The log: one line an event, as text for people or as JSON, never holding a secret (its callers see to that).
 *
 * @module
 */

import { hideTokens } from "../vault/errors.ts";
import type { Clock, Logger, LogLevel } from "../vault/mod.ts";

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** What waits for a reader that has stopped reading; past it lines are dropped and counted. */
const MAX_WAITING_CHARS = 4 * 1024 * 1024;

/** Where lines go; `Deno.stderr` fits. */
export interface LogSink {
  write(bytes: Uint8Array): Promise<number>;
}

/** A log that never blocks the event loop, whatever its reader does. */
export class LineLogger implements Logger {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #format: "text" | "json";
  readonly #rank: number;
  #waiting: string[] = [];
  #waitingChars = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(sink: LogSink, clock: Clock, format: "text" | "json", level: LogLevel) {
    this.#sink = sink;
    this.#clock = clock;
    this.#format = format;
    this.#rank = RANK[level];
  }

  log(level: LogLevel, event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (RANK[level] < this.#rank) return;
    const at = new Date(this.#clock.now()).toISOString();
    const line = this.#format === "json" ? jsonLine : textLine;
    this.#append(hideTokens(line(at, level, event, fields)));
  }

  /** Resolves when every line so far has been written. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #append(line: string): void {
    if (this.#waitingChars + line.length > MAX_WAITING_CHARS) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingChars += line.length;
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // One turn later, so that lines of the same moment share a write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join("") + this.#droppedNote();
      this.#waiting = [];
      this.#waitingChars = 0;
      if (!await this.#writeAll(new TextEncoder().encode(text))) break;
    }
    this.#writing = undefined;
  }

  #droppedNote(): string {
    if (this.#dropped === 0) return "";
    const count = this.#dropped;
    this.#dropped = 0;
    const at = new Date(this.#clock.now()).toISOString();
    const line = this.#format === "json" ? jsonLine : textLine;
    return line(at, "warn", "log_lines_dropped", { count });
  }

  /** False when nobody can read the log any more: a vault whose log reader died goes on serving. */
  async #writeAll(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#sink.write(bytes.subarray(at));
      return true;
    } catch {
      this.#waiting = [];
      this.#waitingChars = 0;
      return false;
    }
  }
}

function jsonLine(time: string, level: LogLevel, event: string, fields: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify({ time, level, event, ...fields })}\n`;
}

function textLine(time: string, level: LogLevel, event: string, fields: Readonly<Record<string, unknown>>): string {
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${textOf(value)}`).join("");
  return `${time} ${level.padEnd(5)} ${event}${rest}\n`;
}

/** Bare where it is one plain word, else JSON: control characters from outside never reach a terminal. */
function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "undefined";
  return typeof value === "string" && !/^[A-Za-z0-9_./:@+-]+$/.test(text) ? JSON.stringify(text) : text;
}
