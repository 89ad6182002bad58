/**
 * A snapshot of everything that a vault is, taken while it serves: the store as it is at one moment, and the files that
 * belong to it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Clock, VaultError } from "../../vault/mod.ts";
import { makePrivateFolder } from "../../vault/storage/private_files.ts";
import { copyDatabase } from "../../vault/storage/sqlite_copy.ts";
import { readStoreFacts, type StoreFacts } from "../../vault/storage/store_facts.ts";
import { VERSION } from "../../version.ts";
import { BACKUP_FORMAT, type BackupPart, type Manifest, OUTSIDE_CONFIG } from "./manifest.ts";

/** Where a vault's files are. */
export interface SnapshotSources {
  readonly dataDir: string;
  readonly sealKeyFile: string;
  readonly rolesFile: string;
  readonly tokensFile: string;
  readonly auditFile: string | null;
  /** The configuration file, where there is one. */
  readonly configPath: string | null;
  readonly clock: Clock;
}

/** Where one part's bytes are. */
export interface PartSource extends BackupPart {
  readonly content: Uint8Array | { readonly file: string };
}

/** A snapshot. Dispose of it when it was read. */
export interface Snapshot extends AsyncDisposable {
  readonly manifest: Manifest;
  readonly parts: readonly PartSource[];
  /** Files that were left out, each with the reason. */
  readonly leftOut: readonly string[];
}

/** Folders of snapshots; one that a crash left behind is removed at the next start. */
export const SNAPSHOT_PREFIX = ".backup-";

/** Small files are held in memory, so that they can't change between their digest and their turn. */
const MAX_SMALL_BYTES = 1024 * 1024;
/** How long the files of TLS must have been the same. */
const STILL_MS = 50;
const TLS_FILES = ["ca.pem", "ca.key", "server.pem", "server.key"];
const KEY_FILES = ["SecKey.json", "EncKey.json", "EvalKey.json"];

/**
 * Takes a snapshot. The store goes first: what else there is may be newer, and each such file is either part of the
 * store's own state (key sets are written once) or made again from it (the YAML files).
 *
 * @throws {VaultError} `storage_failed` when the disk has no room for the copy.
 */
export async function takeSnapshot(sources: SnapshotSources): Promise<Snapshot> {
  const folder = `${sources.dataDir}/${SNAPSHOT_PREFIX}${crypto.randomUUID()}`;
  const dispose = () => Deno.remove(folder, { recursive: true });
  await makePrivateFolder(folder);
  try {
    const copy = `${folder}/runevault.db`;
    await copyDatabase(`${sources.dataDir}/runevault.db`, copy);
    const store = readStoreFacts(copy);
    const collected = new Collected(folder);
    await collected.addLarge("runevault.db", copy);
    await collectFiles(collected, sources, store);
    const manifest: Manifest = {
      format: BACKUP_FORMAT,
      program: VERSION,
      created_at: new Date(sources.clock.now()).toISOString(),
      schema: store.schema,
      sequence: store.sequence,
      parts: collected.parts.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
    };
    return { manifest, parts: collected.parts, leftOut: collected.leftOut, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function collectFiles(collected: Collected, sources: SnapshotSources, store: StoreFacts): Promise<void> {
  const { dataDir } = sources;
  await collected.addSmall("seal.key", sources.sealKeyFile, "needed");
  await collected.addSmall("admin.token", `${dataDir}/admin.token`);
  await collected.addPairs(`${dataDir}/tls`);
  await collected.addFace("roles", sources.rolesFile, store);
  await collected.addFace("tokens", sources.tokensFile, store);
  if (sources.configPath !== null) {
    const isInside = sources.configPath === `${dataDir}/runevault.yml`;
    await collected.addSmall(isInside ? "runevault.yml" : OUTSIDE_CONFIG, sources.configPath);
  }
  if (sources.auditFile !== null) await collected.addLarge("audit.log", sources.auditFile);
  for (const keyId of store.keyIds) {
    for (const name of KEY_FILES) await collected.addLarge(`keys/${keyId}/${name}`, `${dataDir}/keys/${keyId}/${name}`);
  }
}

/** The parts as they come together. */
class Collected {
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
  async addLarge(path: string, file: string): Promise<void> {
    const size = await sizeIfThere(file);
    if (size !== null) await this.#addExtent(path, file, size);
  }

  /** The first `bytes` of a file. */
  async #addExtent(path: string, file: string, bytes: number): Promise<void> {
    const hash = createHash("sha256");
    for await (const chunk of readExtent(file, bytes)) hash.update(chunk);
    this.parts.push({ path, bytes, sha256: hash.digest("hex"), content: { file } });
  }

  #addContent(path: string, content: Uint8Array): void {
    this.parts.push({ path, bytes: content.length, sha256: sha256(content), content });
  }
}

/** The first `bytes` of a file, in chunks. */
export async function* readExtent(path: string, bytes: number): AsyncIterable<Uint8Array> {
  using file = await Deno.open(path);
  let left = bytes;
  while (left > 0) {
    const chunk = new Uint8Array(Math.min(left, 256 * 1024));
    const got = await file.read(chunk);
    if (got === null) throw new VaultError("storage_failed", `${path} became shorter while it was read`);
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

async function sizeIfThere(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function digestsOf(contents: readonly (Uint8Array | null)[]): string {
  return contents.map((content) => content === null ? "-" : sha256(content)).join(" ");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
