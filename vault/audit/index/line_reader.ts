/**
 * The lines of one file of the trail by their places, whether the file is compressed or not.
 *
 * @module
 */

import { gunzipSync } from "node:zlib";
import { hasMembers, MemberReader, readAt } from "../block_gzip.ts";

/** Reads bytes by their place before any compression. */
export interface PlacedBytes extends Disposable {
  bytes(at: number, length: number): Uint8Array;
}

/** Opens a file of the trail. */
export function openPlaced(path: string): PlacedBytes {
  if (!path.endsWith(".gz")) return new PlainReader(path);
  return hasMembers(path) ? new MemberReader(path) : new WholeReader(path);
}

class PlainReader implements PlacedBytes {
  readonly #file: Deno.FsFile;

  constructor(path: string) {
    this.#file = Deno.openSync(path);
  }

  bytes(at: number, length: number): Uint8Array {
    return readAt(this.#file, at, length);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** What another program compressed has to be unpacked as a whole; so much of it at most. */
const MAX_WHOLE_BYTES = 1024 * 1024 * 1024;

class WholeReader implements PlacedBytes {
  readonly #bytes: Uint8Array;

  constructor(path: string) {
    this.#bytes = gunzipSync(Deno.readFileSync(path), { maxOutputLength: MAX_WHOLE_BYTES });
  }

  bytes(at: number, length: number): Uint8Array {
    return this.#bytes.subarray(at, at + length);
  }

  [Symbol.dispose](): void {}
}
