/**
 * Lines that a power cut could still take from the file.
 *
 * @module
 */

/** The last lines that were written, without a gap, but for those that the store has. */
export class VolatileLines {
  #pieces: { readonly text: string; readonly last: number }[] = [];

  /**
   * Adds lines that were written together.
   *
   * @param text The lines, each with its line break.
   * @param last Number of the last of them.
   */
  add(text: string, last: number): void {
    this.#pieces.push({ text, last });
  }

  /** The disk, or the store, has those up to number `last`. */
  forgetUpTo(last: number): void {
    const kept = this.#pieces.findIndex((piece) => piece.last > last);
    this.#pieces.splice(0, kept === -1 ? this.#pieces.length : kept);
  }

  /** All of them, each with its line break. */
  get text(): string {
    return this.#pieces.map(({ text }) => text).join("");
  }
}
