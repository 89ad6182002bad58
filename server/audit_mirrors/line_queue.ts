/**
 * Lines on their way to a place that may be slow: in order, off the request path, and not without end.
 *
 * @module
 */

import type { Mirror } from "../../vault/audit/sink_parts.ts";
import type { Logger } from "../../vault/mod.ts";

/** Lines that wait at most; past it the place takes none. */
const MAX_WAITING = 20_000;
const RETRY_MS = 1000;
/** How long a stop waits for what is on its way. */
const CLOSE_MS = 2000;

/** A place that lines are sent to. */
export interface LinePlace {
  /** Makes sure that lines can be sent; throws where they can't. */
  open(): Promise<void>;
  send(line: string): Promise<void>;
  close(): void;
}

/** Sends lines to a place, and says how it is doing. */
export class LineQueue implements Mirror {
  readonly name: string;
  readonly #place: LinePlace;
  readonly #logger: Logger;
  #waiting: string[] = [];
  #trouble: string | null = "not reached yet";
  #isOpen = false;
  #dropped = 0;
  #pumping: Promise<void> | undefined;
  #isClosed = false;

  constructor(name: string, place: LinePlace, logger: Logger) {
    this.name = name;
    this.#place = place;
    this.#logger = logger;
    this.#pump();
  }

  /** Resolves when it was tried once: at a start one wants to know. */
  async tried(): Promise<void> {
    await Promise.race([this.#pumping, new Promise((resolve) => setTimeout(resolve, RETRY_MS / 2))]);
  }

  trouble(): string | null {
    return this.#trouble ?? (this.#waiting.length >= MAX_WAITING ? "it takes lines too slowly" : null);
  }

  send(lines: string): void {
    for (const line of lines.split("\n")) if (line !== "") this.#waiting.push(line);
    const excess = this.#waiting.length - MAX_WAITING;
    if (excess > 0) {
      this.#waiting.splice(0, excess);
      if (this.#dropped === 0) this.#logger.log("warn", "audit_mirror_behind", { mirror: this.name });
      this.#dropped += excess;
    }
    this.#pump();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_MS));
    await Promise.race([this.#pumping, late]);
    clearTimeout(timer);
    this.#place.close();
  }

  #pump(): void {
    this.#pumping ??= this.#sendAll().finally(() => this.#pumping = undefined);
  }

  async #sendAll(): Promise<void> {
    let line: string | undefined;
    try {
      if (!this.#isOpen) await this.#place.open();
      this.#isOpen = true;
      this.#recovered();
      while ((line = this.#waiting.shift()) !== undefined) await this.#place.send(line);
    } catch (error) {
      if (line !== undefined) this.#waiting.unshift(line);
      this.#fail(error);
    }
  }

  #recovered(): void {
    if (this.#dropped > 0) {
      this.#logger.log("warn", "audit_mirror_lines_dropped", { mirror: this.name, lines: this.#dropped });
      this.#dropped = 0;
    }
    this.#trouble = null;
  }

  #fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : "unknown failure";
    if (this.#trouble === null || this.#trouble === "not reached yet") {
      this.#logger.log("error", "audit_mirror_failed", { mirror: this.name, reason });
    }
    this.#trouble = reason;
    this.#isOpen = false;
    if (this.#isClosed) return;
    const timer = setTimeout(() => this.#pump(), RETRY_MS);
    // A stop must not wait for a place that is gone.
    Deno.unrefTimer(timer as unknown as number);
  }
}
