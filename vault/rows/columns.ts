/**
 * Numbers of many rows, side by side: a number costs its bytes and no more.
 *
 * @module
 */

type Numbers = Float64Array | Int32Array | Uint8Array;

/**
 * Columns grow by so many rows, and nothing is ever copied. Few, since a column costs its whole last piece: the allocator
 * hands out small ones of memory that was used before, and wipes them.
 */
const CHUNK_BITS = 12;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const IN_CHUNK = CHUNK_ROWS - 1;

/** A column that grows with its rows. A row that was never set holds 0. */
export class Column<T extends Numbers> {
  readonly #make: (length: number) => T;
  /** Numbers of each row. */
  readonly #width: number;
  readonly #chunks: T[] = [];

  constructor(make: (length: number) => T, width = 1) {
    this.#make = make;
    this.#width = width;
  }

  /** The number of a row, of a column of width 1. */
  get(row: number): number {
    return this.#chunks[row >>> CHUNK_BITS]?.[row & IN_CHUNK] ?? 0;
  }

  /** Sets the number of a row, of a column of width 1. */
  set(row: number, value: number): void {
    this.#chunkFor(row)[row & IN_CHUNK] = value;
  }

  /** The numbers of a row that was set, at {@link startOf} in this and behind. */
  chunkOf(row: number): T {
    return this.#chunks[row >>> CHUNK_BITS]!;
  }

  startOf(row: number): number {
    return (row & IN_CHUNK) * this.#width;
  }

  /** The numbers of a row that was set. It is a view: what is set later shows in it. */
  part(row: number): T {
    const start = this.startOf(row);
    return this.chunkOf(row).subarray(start, start + this.#width) as T;
  }

  /** Sets the numbers of a row. */
  setPart(row: number, values: ArrayLike<number>): void {
    this.#chunkFor(row).set(values, this.startOf(row));
  }

  #chunkFor(row: number): T {
    const index = row >>> CHUNK_BITS;
    while (this.#chunks.length <= index) this.#chunks.push(this.#make(CHUNK_ROWS * this.#width));
    return this.#chunks[index]!;
  }
}

/** Moments, and other numbers that may be absent. */
export function optionalNumbers(): Column<Float64Array> {
  return new Column((length) => new Float64Array(length));
}

/** Whole numbers below 2^31. */
export function integers(): Column<Int32Array> {
  return new Column((length) => new Int32Array(length));
}

/** Bytes, `width` of them a row. */
export function bytes(width = 1): Column<Uint8Array> {
  return new Column((length) => new Uint8Array(length), width);
}
