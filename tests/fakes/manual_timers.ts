/**
 * Timers that run when a test says so: what waits for a time is tested to the millisecond on a machine with other work.
 *
 * @module
 */

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** In place of `setTimeout` and `clearTimeout` until it is disposed of. */
export class ManualTimers implements Disposable {
  /** Milliseconds since it began. */
  now = 0;
  readonly #timers = new Map<number, Timer>();
  readonly #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  #lastId = 0;

  private constructor() {}

  /** Takes the place of the real ones, for code that asks for them from now on. */
  static install(): ManualTimers {
    const timers = new ManualTimers();
    const set = (run: () => void, ms = 0) => {
      timers.#timers.set(++timers.#lastId, { at: timers.now + ms, run });
      return timers.#lastId;
    };
    const clear = (id?: number) => void timers.#timers.delete(id ?? 0);
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
    return timers;
  }

  /** How many have not run yet. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets time pass: timers run in their order, each with what follows at once from the one before done. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      const [id, { at, run }] = next;
      this.#timers.delete(id);
      this.now = Math.max(this.now, at);
      run();
      await this.#settled();
    }
    this.now = until;
  }

  #next(until: number): [number, Timer] | undefined {
    return [...this.#timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
  }

  #settled(): Promise<void> {
    return new Promise((resolve) => this.#real.setTimeout.call(globalThis, resolve, 0));
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#real);
  }
}
