/**
 * Finds rows by what is in them: a hash table of row numbers, at eight bytes a row or so, where a `Map` takes fifty and its
 * keys besides.
 *
 * @module
 */

const SMALLEST = 64;
const EMPTY = 0;
const GONE = -1;

/** Rows by the hash of some value in them. Which value, and how it is compared, its owner knows. */
export class RowIndex {
  /** Row + 1, {@link EMPTY}, or {@link GONE} where a row was taken out. */
  #slots = new Int32Array(SMALLEST);
  #taken = 0;
  readonly #hashOf: (row: number) => number;

  /** @param hashOf The hash of a row's value as it is now: asked when the table grows. */
  constructor(hashOf: (row: number) => number) {
    this.#hashOf = hashOf;
  }

  /** The first row with a hash that `matches`; -1: none. */
  find(hash: number, matches: (row: number) => boolean): number {
    const mask = this.#slots.length - 1;
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const slot = this.#slots[at]!;
      if (slot === EMPTY) return -1;
      if (slot !== GONE && matches(slot - 1)) return slot - 1;
    }
  }

  /** All rows with a hash that `match`, in no order. */
  all(hash: number, matches: (row: number) => boolean): number[] {
    const rows: number[] = [];
    this.find(hash, (row) => {
      if (matches(row)) rows.push(row);
      return false;
    });
    return rows;
  }

  /** Adds a row, once. Its value must not change while it is in. */
  add(row: number): void {
    if (this.#taken * 2 >= this.#slots.length) this.#rebuild();
    this.#put(row);
  }

  /** Takes a row out that was added with this hash; its value may have changed since, until the next row is added. */
  remove(row: number, hash: number): void {
    const mask = this.#slots.length - 1;
    for (let at = hash & mask; this.#slots[at] !== EMPTY; at = (at + 1) & mask) {
      if (this.#slots[at] !== row + 1) continue;
      this.#slots[at] = GONE;
      return;
    }
  }

  #put(row: number): void {
    const mask = this.#slots.length - 1;
    let at = this.#hashOf(row) & mask;
    while (this.#slots[at] !== EMPTY) at = (at + 1) & mask;
    this.#slots[at] = row + 1;
    this.#taken++;
  }

  /** Doubles, unless it is full of rows that are gone. */
  #rebuild(): void {
    const old = this.#slots.filter((slot) => slot !== EMPTY && slot !== GONE);
    this.#slots = new Int32Array(old.length * 4 > this.#slots.length ? this.#slots.length * 2 : this.#slots.length);
    this.#taken = 0;
    for (const slot of old) this.#put(slot - 1);
  }
}

/** A hash of text: FNV-1a, its halves mixed so that all bits count. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash ^ hash >>> 15) >>> 0;
}
