/**
 * Lines that a power cut could still take from the file.
 *
 * @module
 */

const FIRST_BYTES = 65_536;

/** The last lines that were written, without a gap, but for those that the store has. */
export class VolatileLines {
  readonly #decoder = new TextDecoder();
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;
  /** Where lines that were written together end, and the number of the last of them. */
  #pieces: { readonly end: number; readonly last: number }[] = [];

  /** How many bytes they are. */
  get length(): number {
    return this.#length;
  }

  /** Adds a line, with its line break. */
  add(line: Uint8Array): void {
    if (this.#length + line.length > this.#bytes.length) this.#grow(line.length);
    this.#bytes.set(line, this.#length);
    this.#length += line.length;
  }

  /** What was added after the first `from` bytes; good until more is. */
  since(from: number): Uint8Array {
    return this.#bytes.subarray(from, this.#length);
  }

  /** What was added up to now was written; `last` is the number of the last line. */
  noteWritten(last: number): void {
    this.#pieces.push({ end: this.#length, last });
  }

  /** What was added after the first `from` bytes was not written. */
  cut(from: number): void {
    this.#length = from;
  }

  /** The disk, or the store, has those up to number `last`. */
  forgetUpTo(last: number): void {
    const kept = this.#pieces.findIndex((piece) => piece.last > last);
    const gone = this.#pieces.splice(0, kept === -1 ? this.#pieces.length : kept).at(-1)?.end ?? 0;
    this.#bytes.copyWithin(0, gone, this.#length);
    this.#length -= gone;
    this.#pieces = this.#pieces.map(({ end, last }) => ({ end: end - gone, last }));
  }

  /** All of them, each with its line break. */
  get text(): string {
    return this.#decoder.decode(this.since(0));
  }

  #grow(by: number): void {
    const grown = new Uint8Array(2 * (this.#length + by));
    grown.set(this.since(0));
    this.#bytes = grown;
  }
}
