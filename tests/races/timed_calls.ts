/**
 * Calls and changes with the moments between which they ran, and what may be concluded from those moments: what was
 * answered before a call began holds for it, what began after it ended does not, and in between either may be.
 *
 * @module
 */

/** What came of something, and when. Moments are of this process's monotonic clock, in milliseconds. */
export interface Timed<T> {
  /** Before anything was sent. */
  readonly began: number;
  /** After the answer was there. */
  readonly ended: number;
  readonly result: T;
}

/** Runs something and notes when. */
export async function timed<T>(work: () => Promise<T>): Promise<Timed<T>> {
  const began = performance.now();
  const result = await work();
  return { began, ended: performance.now(), result };
}

/** Begins `count` at once and resolves with all their results. */
export function together<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)));
}

/** How often each value occurs, such as `{201: 1, 409: 199}`. */
export function tally(values: readonly (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** Callers that call again and again until they are told to stop. */
export class Callers<T> {
  readonly #done: Timed<T>[] = [];
  readonly #running: Promise<void[]>;
  #stopped = false;

  /** @param work Makes one call; `turn` counts the calls of one caller. */
  constructor(count: number, work: (caller: number, turn: number) => Promise<T>) {
    this.#running = together(count, async (caller) => {
      for (let turn = 0; !this.#stopped; turn++) this.#done.push(await timed(() => work(caller, turn)));
    });
  }

  /** Calls that have ended so far. */
  get count(): number {
    return this.#done.length;
  }

  /** Resolves when `more` further calls have ended. */
  async calls(more: number): Promise<void> {
    const wanted = this.count + more;
    while (this.count < wanted && !this.#stopped) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Lets the calls under way end, and returns all. */
  async stop(): Promise<readonly Timed<T>[]> {
    this.#stopped = true;
    await this.#running;
    return this.#done;
  }
}

/** One thing's states, one after the other, each from the change that brought it. */
export class History<State> {
  readonly #changes: Timed<State>[];

  constructor(first: State) {
    this.#changes = [{ began: -Infinity, ended: -Infinity, result: first }];
  }

  /** Makes a change and notes the state that it brings. Changes are made one after the other. */
  async change<T>(to: State, work: () => Promise<T>): Promise<T> {
    const { began, ended, result } = await timed(work);
    this.#changes.push({ began, ended, result: to });
    return result;
  }

  /** The states that a call may have met. */
  during({ began, ended }: Pick<Timed<unknown>, "began" | "ended">): State[] {
    return this.#changes
      .filter((change, i) => change.began <= ended && (this.#changes[i + 1]?.ended ?? Infinity) >= began)
      .map(({ result }) => result);
  }
}
