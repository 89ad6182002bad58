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

/** How a line looks: for people, for programs, or for journald, which adds the time itself and reads `<4>` as a warning. */
export type LogFormat = "text" | "json" | "journal";

type LineWriter = (time: string, level: LogLevel, event: string, fields: Readonly<Record<string, unknown>>) => string;

const WRITERS: Readonly<Record<LogFormat, LineWriter>> = { text: textLine, json: jsonLine, journal: journalLine };

/** The priorities of syslog(3), as sd-daemon(3) wants them before a line. */
const PRIORITY: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** Where lines go; `Deno.stderr` fits. */
export interface LogSink {
  write(bytes: Uint8Array): Promise<number>;
}

/** A log that never blocks the event loop, whatever its reader does. */
export class LineLogger implements Logger {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #writeLine: LineWriter;
  readonly #rank: number;
  #waiting: string[] = [];
  #waitingChars = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(sink: LogSink, clock: Clock, format: LogFormat, level: LogLevel) {
    this.#sink = sink;
    this.#clock = clock;
    this.#writeLine = WRITERS[format];
    this.#rank = RANK[level];
  }

  log(level: LogLevel, event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (RANK[level] < this.#rank) return;
    const at = new Date(this.#clock.now()).toISOString();
    this.#append(hideTokens(this.#writeLine(at, level, event, fields)));
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
    return this.#writeLine(at, "warn", "log_lines_dropped", { count });
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
  return `${time} ${level.padEnd(5)} ${event}${fieldsText(fields)}\n`;
}

function journalLine(_time: string, level: LogLevel, event: string, fields: Readonly<Record<string, unknown>>): string {
  return `<${PRIORITY[level]}>${event}${fieldsText(fields)}\n`;
}

function fieldsText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields).map(([name, value]) => ` ${name}=${textOf(value)}`).join("");
}

/** Bare where it is one plain word, else JSON: control characters from outside never reach a terminal. */
function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "undefined";
  return typeof value === "string" && !/^[A-Za-z0-9_./:@+-]+$/.test(text) ? JSON.stringify(text) : text;
}
