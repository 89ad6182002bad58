/**
 * What falls due when: a binary heap, so that nothing is scanned to find the next.
 *
 * @module
 */

/** Keys in the order of the moments at which they fall due. Moments and keys lie apart: each costs eight bytes. */
export class DueQueue<Key = string> {
  readonly #moments: number[] = [];
  readonly #keys: Key[] = [];

  /** How many wait. */
  get size(): number {
    return this.#moments.length;
  }

  /** The next moment at which something falls due; undefined: nothing waits. */
  get next(): number | undefined {
    return this.#moments[0];
  }

  /** Adds a key; the same key may wait several times. */
  add(at: number, key: Key): void {
    let i = this.#moments.push(at) - 1;
    this.#keys.push(key);
    for (let up = (i - 1) >> 1; i > 0 && this.#moments[up]! > this.#moments[i]!; up = (i - 1) >> 1) {
      this.#swap(up, i);
      i = up;
    }
  }

  /** Takes what is due at `now`, at most `limit` keys. */
  take(now: number, limit: number): Key[] {
    const due: Key[] = [];
    while (due.length < limit && this.size > 0 && this.#moments[0]! <= now) due.push(this.#pop());
    return due;
  }

  #pop(): Key {
    const last = this.size - 1;
    this.#swap(0, last);
    this.#moments.pop();
    const key = this.#keys.pop()!;
    this.#sink();
    return key;
  }

  #sink(): void {
    const moments = this.#moments;
    for (let i = 0;;) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let least = i;
      if (left < moments.length && moments[left]! < moments[least]!) least = left;
      if (right < moments.length && moments[right]! < moments[least]!) least = right;
      if (least === i) return;
      this.#swap(least, i);
      i = least;
    }
  }

  #swap(i: number, j: number): void {
    [this.#moments[i], this.#moments[j]] = [this.#moments[j]!, this.#moments[i]!];
    [this.#keys[i], this.#keys[j]] = [this.#keys[j]!, this.#keys[i]!];
  }
}
