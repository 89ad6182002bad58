/**
 * The fields of a head that say where its body ends, and whose it is: RFC 9112 §6 and §3.2.
 *
 * Two programs on one connection that read such a head in two ways let a stranger put a request into somebody else's
 * (request smuggling, RFC 9112 §11.2). The server behind takes `Transfer-Encoding` where `Content-Length` stands beside
 * it; a proxy before it may do otherwise. So a head with both is nobody's.
 *
 * @module
 */

const LENGTH = codesOf("content-length:"), CODING = codesOf("transfer-encoding:"), HOST = codesOf("host:");
/** Of a line, what is looked at, in bytes: the longest of these names, and the coding that is known after it. */
const SEEN = CODING.length + 32;
/** `c`, `t` and `h`, in lower case: most lines begin with none of them. */
const C = 0x63, T = 0x74, H = 0x68;

/** Hears the lines of a head after its first. */
export class FramingFields {
  /** Whether the present line may be one of them, and is to be told byte by byte. */
  isCollecting = false;
  readonly #line = new Uint8Array(SEEN);
  #length = 0;
  #lengths = 0;
  #codings = 0;
  #hosts = 0;
  #hasOddCoding = false;

  /** Of most lines the first byte says that they are none of these. */
  beginLine(byte: number): void {
    const letter = byte | 0x20;
    this.isCollecting = letter === H || letter === C || letter === T;
    this.#length = 0;
  }

  /** Takes a byte of a line. */
  collect(byte: number): void {
    if (this.#length < SEEN) this.#line[this.#length++] = byte;
  }

  /** The line is over. */
  endLine(): void {
    this.isCollecting = false;
    if (this.#beginsWith(LENGTH)) this.#lengths++;
    else if (this.#beginsWith(HOST)) this.#hosts++;
    else if (this.#beginsWith(CODING)) {
      this.#codings++;
      const value = this.#line.subarray(CODING.length, this.#length);
      this.#hasOddCoding ||= new TextDecoder("latin1").decode(value).trim().toLowerCase() !== "chunked";
    }
  }

  #beginsWith(name: Uint8Array): boolean {
    if (this.#length < name.length) return false;
    for (let i = 0; i < name.length; i++) if (lowerCase(this.#line[i]!) !== name[i]) return false;
    return true;
  }

  /** Whether every reader reads them alike. That lengths agree is the server's to see. */
  get areClear(): boolean {
    if (this.#hosts > 1 || this.#codings > 1 || this.#hasOddCoding) return false;
    return this.#codings === 0 || this.#lengths === 0;
  }
}

function codesOf(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}

/** Of A to Z; fields' names are told apart in no other way (RFC 9110 §5.1). */
function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
