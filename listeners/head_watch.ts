/**
 * Follows the bytes of an HTTP/1 request to the empty line that ends its head.
 *
 * @module
 */

const CR = 13, LF = 10;
/** How an HTTP/2 connection begins (RFC 9113 §3.4); no method has this name. */
const HTTP2_OPENING = "PRI ";

/** Watches one head. */
export class HeadWatch {
  #opening = "";
  #lineBytes = 0;
  #hasRequestLine = false;

  /**
   * Takes the next bytes. `refused`: this is HTTP/2, whose connections would have to be watched in another way.
   *
   * Lines may end in LF alone, and empty ones may stand before the request line, as servers take it (RFC 9112 §2.2).
   */
  hear(bytes: Uint8Array): "incomplete" | "complete" | "refused" {
    for (let i = 0; i < bytes.length && this.#opening.length < HTTP2_OPENING.length; i++) {
      this.#opening += String.fromCharCode(bytes[i]!);
    }
    if (this.#opening === HTTP2_OPENING) return "refused";
    for (const byte of bytes) {
      if (byte === CR) continue;
      if (byte !== LF) {
        this.#lineBytes++;
        continue;
      }
      if (this.#lineBytes === 0 && this.#hasRequestLine) return "complete";
      if (this.#lineBytes > 0) this.#hasRequestLine = true;
      this.#lineBytes = 0;
    }
    return "incomplete";
  }
}
