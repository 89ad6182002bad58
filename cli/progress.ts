/**
 * What is being done, and for how long, on the last line of a terminal; from the first second on, so that what is quick
 * shows nothing.
 *
 * @module
 */

const TICK_MS = 1000;
const CLEAR_LINE = "\r\x1b[K";

/** What it writes to: standard error of a terminal. */
export interface ProgressPorts {
  readonly width: number;
  write(text: string): void;
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** How often it changes, and from when on it is shown, in milliseconds; default: 1000. */
  readonly tickMs?: number;
}

/** One line that comes and goes. */
export class Progress {
  readonly #ports: ProgressPorts;
  #what: string | null = null;
  #startedAt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isShown = false;
  #isPaused = false;

  constructor(ports: ProgressPorts) {
    this.#ports = ports;
  }

  /** Says what is being done; null: it is done. */
  tell(what: string | null): void {
    if (what === null) return this.#end();
    if (this.#what === null) this.#begin();
    this.#what = what;
  }

  /** Takes the line away, for something else is about to be written. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#ports.write(CLEAR_LINE);
  }

  /** Shows nothing until `work` has ended, such as while somebody types. */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    this.clear();
    this.#isPaused = true;
    try {
      return await work();
    } finally {
      this.#isPaused = false;
      this.#startedAt = this.#ports.now();
    }
  }

  #begin(): void {
    this.#startedAt = this.#ports.now();
    this.#timer = setInterval(() => this.#show(), this.#ports.tickMs ?? TICK_MS);
    // It must not keep a program from ending.
    Deno.unrefTimer(this.#timer);
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#what = null;
    this.clear();
  }

  #show(): void {
    if (this.#isPaused || this.#what === null) return;
    const seconds = Math.round((this.#ports.now() - this.#startedAt) / 1000);
    this.#ports.write(CLEAR_LINE + `${this.#what} … ${seconds} s`.slice(0, this.#ports.width - 1));
    this.#isShown = true;
  }
}
