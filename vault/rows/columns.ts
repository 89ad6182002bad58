/**
 * Numbers of many rows, side by side: a number costs its bytes and no more.
 *
 * @module
 */

type Numbers = Float64Array | Int32Array | Uint8Array;

const FIRST_ROWS = 64;

/** A column that grows with its rows. A row that was never set holds 0. */
export class Column<T extends Numbers> {
  readonly #make: (length: number) => T;
  /** Numbers of each row. */
  readonly #width: number;
  #numbers: T;

  constructor(make: (length: number) => T, width = 1) {
    this.#make = make;
    this.#width = width;
    this.#numbers = make(FIRST_ROWS * width);
  }

  get(row: number): number {
    return this.#numbers[row]!;
  }

  set(row: number, value: number): void {
    if (row >= this.#numbers.length) this.#grow(row);
    this.#numbers[row] = value;
  }

  /** All numbers, to be read at once before anything is set again. */
  get all(): T {
    return this.#numbers;
  }

  /** The numbers of a row that has several. It is a view: what is set later shows in it. */
  part(row: number): T {
    return this.#numbers.subarray(row * this.#width, (row + 1) * this.#width) as T;
  }

  /** Sets the numbers of a row that has several. */
  setPart(row: number, values: ArrayLike<number>): void {
    if ((row + 1) * this.#width > this.#numbers.length) this.#grow((row + 1) * this.#width);
    this.#numbers.set(values, row * this.#width);
  }

  #grow(needed: number): void {
    const grown = this.#make(Math.max(needed + 1, this.#numbers.length * 2));
    grown.set(this.#numbers);
    this.#numbers = grown;
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
