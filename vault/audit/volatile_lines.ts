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
  /** How many bytes were forgotten so far. */
  #forgotten = 0;

  /** How many bytes they are. */
  get length(): number {
    return this.#length;
  }

  /** Where they end, counted from the first byte that there ever was. */
  get end(): number {
    return this.#forgotten + this.#length;
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

  /** What was added after the first `from` bytes was not written. */
  cut(from: number): void {
    this.#length = from;
  }

  /** The disk, or the store, has those up to what was the {@link end} once. */
  forgetUpTo(end: number): void {
    const gone = end - this.#forgotten;
    if (gone <= 0) return;
    this.#bytes.copyWithin(0, gone, this.#length);
    this.#length -= gone;
    this.#forgotten = end;
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
