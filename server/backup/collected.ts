/**
 * The files of a backup as they are collected, each with its size and digest.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { sizeIfThere } from "../../vault/audit/file_tail.ts";
import { VaultError } from "../../vault/mod.ts";
import type { StoreFacts } from "../../vault/storage/store_facts.ts";
import type { BackupPart } from "./manifest.ts";

/** Where one part's bytes are. */
export interface PartSource extends BackupPart {
  readonly content: Uint8Array | { readonly file: string | Deno.FsFile };
}

/** Small files are held in memory, so that they can't change between their digest and their turn. */
const MAX_SMALL_BYTES = 1024 * 1024;
/** How long the files of TLS must have been the same. */
const STILL_MS = 50;
const TLS_FILES = ["ca.pem", "ca.key", "server.pem", "server.key"];

/** The parts as they come together. */
export class Collected {
  readonly parts: PartSource[] = [];
  readonly leftOut: string[] = [];
  readonly #folder: string;

  /** @param folder Where copies of files that may be replaced meanwhile are put. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A file that is small enough for memory; absent ones are passed over unless needed. */
  async addSmall(path: string, file: string, needed?: "needed"): Promise<void> {
    const content = await readIfThere(file);
    if (content !== null) return this.#addContent(path, content);
    if (needed !== undefined) throw new VaultError("storage_failed", `${file} is missing`);
  }

  /** The files of TLS, once they stood still: a certificate that is just being renewed has a key of its own. */
  async addPairs(folder: string): Promise<void> {
    const read = () => Promise.all(TLS_FILES.map((name) => readIfThere(`${folder}/${name}`)));
    let found = await read();
    for (let before = null; digestsOf(found) !== before;) {
      before = digestsOf(found);
      await new Promise((resolve) => setTimeout(resolve, STILL_MS));
      found = await read();
    }
    found.forEach((content, i) => content === null || this.#addContent(`tls/${TLS_FILES[i]}`, content));
  }

  /** One of the two YAML files, if it is the vault's own text: an edit that wasn't taken in is no part of its state. */
  async addFace(name: "roles" | "tokens", file: string, { files }: StoreFacts): Promise<void> {
    if (await sizeIfThere(file) === null) return;
    const path = `vault-${name}.yml`;
    const copy = `${this.#folder}/${path}`;
    await Deno.copyFile(file, copy);
    await this.addLarge(path, copy);
    const { sha256 } = this.parts.at(-1)!;
    const record = files.get(name);
    if (sha256 === record?.digest || sha256 === record?.previousDigest) return;
    this.parts.pop();
    this.leftOut.push(`${file}: it isn't what the vault wrote; a restored vault writes its own`);
  }

  /** A file that never changes, or grows at its end alone: what it is now is its part. Absent ones are passed over. */
  async addLarge(path: string, file: string | Deno.FsFile): Promise<void> {
    const size = typeof file === "string" ? await sizeIfThere(file) : (await file.stat()).size;
    if (size !== null) await this.#addExtent(path, file, size);
  }

  /** Says that files were left out, where there are any. */
  leaveOut(count: number, what: string): void {
    if (count > 0) this.leftOut.push(`${count} ${what}`);
  }

  /** The first `bytes` of a file. */
  async #addExtent(path: string, file: string | Deno.FsFile, bytes: number): Promise<void> {
    const hash = createHash("sha256");
    for await (const chunk of readExtent(file, bytes)) hash.update(chunk);
    this.parts.push({ path, bytes, sha256: hash.digest("hex"), content: { file } });
  }

  #addContent(path: string, content: Uint8Array): void {
    this.parts.push({ path, bytes: content.length, sha256: sha256(content), content });
  }
}

/** The first `bytes` of a file, in chunks. A file that was given opened stays so. */
export async function* readExtent(source: string | Deno.FsFile, bytes: number): AsyncIterable<Uint8Array> {
  if (typeof source !== "string") return yield* readChunks(source, bytes);
  using file = await Deno.open(source);
  yield* readChunks(file, bytes);
}

async function* readChunks(file: Deno.FsFile, bytes: number): AsyncIterable<Uint8Array> {
  await file.seek(0, Deno.SeekMode.Start);
  let left = bytes;
  while (left > 0) {
    const chunk = new Uint8Array(Math.min(left, 256 * 1024));
    const got = await file.read(chunk);
    if (got === null) throw new VaultError("storage_failed", "A file became shorter while it was read");
    left -= got;
    yield chunk.subarray(0, got);
  }
}

async function readIfThere(path: string): Promise<Uint8Array | null> {
  const size = await sizeIfThere(path);
  if (size === null) return null;
  if (size <= MAX_SMALL_BYTES) return await Deno.readFile(path);
  throw new VaultError("storage_failed", `${path} has ${size} bytes, more than such a file can have`);
}

function digestsOf(contents: readonly (Uint8Array | null)[]): string {
  return contents.map((content) => content === null ? "-" : sha256(content)).join(" ");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
