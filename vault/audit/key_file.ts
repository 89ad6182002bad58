/**
 * Where the trail's next key is kept between two starts: one block that is overwritten in place, so that the keys of
 * yesterday's lines are nowhere. It is sealed under the seal key; the first key of all is written once, for the operator
 * to take away.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";
import type { SealKey } from "../keys/seal_key.ts";
import { writeNewPrivateFile } from "../storage/private_files.ts";
import type { ChainPosition } from "./chain.ts";

/** Disks write this much whole or not at all. */
const BLOCK_BYTES = 512;
const IDENTITY = "audit_key";
const HASH_BYTES = 32;

/** The file with the next key. */
export class KeyFile {
  readonly #file: Deno.FsFile;
  readonly #sealKey: SealKey;

  private constructor(file: Deno.FsFile, sealKey: SealKey) {
    this.#file = file;
    this.#sealKey = sealKey;
  }

  /**
   * Opens it.
   *
   * @returns The file, and the place in the chain that it was left at; null where it is new.
   * @throws {VaultError} `config_invalid` for one that is damaged or sealed under another key.
   */
  static async open(path: string, sealKey: SealKey): Promise<{ file: KeyFile; position: ChainPosition | null }> {
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    try {
      const bytes = new Uint8Array(BLOCK_BYTES);
      const length = await file.read(bytes);
      const position = length === null ? null : unsealed(path, bytes, sealKey);
      return { file: new KeyFile(file, sealKey), position };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Puts a place in that of the one before it, durably. */
  async write(position: ChainPosition): Promise<void> {
    const block = Buffer.alloc(BLOCK_BYTES, "\n");
    const plain = encoded(position);
    block.write(this.#sealKey.seal(IDENTITY, plain), "latin1");
    plain.fill(0);
    await this.#file.seek(0, Deno.SeekMode.Start);
    if (await this.#file.write(block) !== BLOCK_BYTES) throw new TypeError("A block was written in part");
    await this.#file.syncData();
  }

  close(): void {
    this.#file.close();
  }
}

/** Encrypts the first key to whoever takes it away, by age. */
export type FirstKeyEncrypter = (key: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/**
 * Writes the first key of a trail for the operator: with it `audit verify --key` checks every line.
 *
 * @param encrypt The file then ends in `.age`, and the key was never on the disk in clear.
 * @returns The file's path.
 */
export async function writeFirstKey(
  path: string,
  firstSequence: number,
  key: Uint8Array,
  encrypt?: FirstKeyEncrypter,
): Promise<string> {
  const bytes = keyText(firstSequence, key);
  const written = encrypt === undefined ? path : `${path}.age`;
  await writeNewPrivateFile(written, encrypt === undefined ? bytes : await encrypt(bytes));
  bytes.fill(0);
  return written;
}

/** The file as `series_key.ts` reads it, without a text of the key: nobody can wipe one. */
function keyText(firstSequence: number, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const [before, after] = [`{"first_sequence":${firstSequence},"key":"`, '"}\n'];
  const bytes = new TextEncoder().encode(before + "0".repeat(2 * key.length) + after);
  key.forEach((byte, i) => {
    bytes[before.length + 2 * i] = hexDigit(byte >> 4);
    bytes[before.length + 2 * i + 1] = hexDigit(byte & 0x0f);
  });
  return bytes;
}

function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x61 + value - 10;
}

function encoded({ sequence, hash, key }: ChainPosition): Uint8Array {
  const bytes = Buffer.alloc(8 + HASH_BYTES + key.length);
  bytes.writeBigUInt64BE(BigInt(sequence));
  bytes.write(hash, 8, "hex");
  bytes.set(key, 8 + HASH_BYTES);
  return bytes;
}

function unsealed(path: string, block: Uint8Array, sealKey: SealKey): ChainPosition {
  try {
    const bytes = Buffer.from(sealKey.open(IDENTITY, Buffer.from(block).toString("latin1").trim()));
    const key = new Uint8Array(bytes.subarray(8 + HASH_BYTES));
    bytes.fill(0, 8 + HASH_BYTES);
    return {
      sequence: Number(bytes.readBigUInt64BE(0)),
      hash: bytes.subarray(8, 8 + HASH_BYTES).toString("hex"),
      key,
    };
  } catch (cause) {
    throw new VaultError("config_invalid", `${path} can't be opened: the audit trail's next key is in it`, {
      hint: "put the file back, or give --audit-new-key: verify then shows where the keys begin anew",
      cause,
    });
  }
}
