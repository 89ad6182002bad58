/**
 * What falls due when: a binary heap, so that nothing is scanned to find the next.
 *
 * @module
 */

/** One thing that falls due. */
interface Due {
  readonly at: number;
  readonly key: string;
}

/** Keys in the order of the moments at which they fall due. */
export class DueQueue {
  readonly #heap: Due[] = [];

  /** How many wait. */
  get size(): number {
    return this.#heap.length;
  }

  /** The next moment at which something falls due; undefined: nothing waits. */
  get next(): number | undefined {
    return this.#heap[0]?.at;
  }

  /** Adds a key; the same key may wait several times. */
  add(at: number, key: string): void {
    const heap = this.#heap;
    let i = heap.push({ at, key }) - 1;
    for (let up = (i - 1) >> 1; i > 0 && heap[up]!.at > heap[i]!.at; up = (i - 1) >> 1) {
      [heap[up], heap[i]] = [heap[i]!, heap[up]!];
      i = up;
    }
  }

  /** Takes what is due at `now`, at most `limit` keys. */
  take(now: number, limit: number): string[] {
    const due: string[] = [];
    while (due.length < limit && this.#heap.length > 0 && this.#heap[0]!.at <= now) due.push(this.#pop().key);
    return due;
  }

  #pop(): Due {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    return first;
  }

  #sink(): void {
    const heap = this.#heap;
    for (let i = 0;;) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let least = i;
      if (left < heap.length && heap[left]!.at < heap[least]!.at) least = left;
      if (right < heap.length && heap[right]!.at < heap[least]!.at) least = right;
      if (least === i) return;
      [heap[least], heap[i]] = [heap[i]!, heap[least]!];
      i = least;
    }
  }
}
