/**
 * The container of a backup: a tar archive whose first entry is the manifest, so that whoever has the key and no
 * runevault can still get at it (`age -d FILE | tar x`).
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { createTarDecoder, createTarPacker, type ParsedTarEntry } from "modern-tar";
import { VaultError } from "../../vault/mod.ts";
import {
  type BackupPart,
  MANIFEST,
  type Manifest,
  MAX_MANIFEST_BYTES,
  modeOf,
  notOurs,
  parseManifest,
} from "./manifest.ts";
import { type PartSource, readExtent } from "./collected.ts";
import type { Snapshot } from "./snapshot.ts";

/** How many bytes {@link writeArchive} makes of a snapshot. */
export function archiveBytes({ manifest }: Snapshot): number {
  const sizes = [manifestText(manifest).length, ...manifest.parts.map(({ bytes }) => bytes)];
  return sizes.reduce((sum, bytes) => sum + BLOCK + Math.ceil(bytes / BLOCK) * BLOCK, END_BLOCKS * BLOCK);
}

const BLOCK = 512;
const END_BLOCKS = 2;

/** The archive of a snapshot as a stream; a few megabytes of it are in memory at a time. */
export function writeArchive({ manifest, parts }: Snapshot): ReadableStream<Uint8Array> {
  const { readable, controller } = createTarPacker();
  const mtime = new Date(manifest.created_at);
  const add = async (name: string, size: number, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) => {
    const writer = controller.add({ name, size, mtime, mode: modeOf(name), type: "file" }).getWriter();
    for await (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  };
  const addAll = async () => {
    const text = manifestText(manifest);
    await add(MANIFEST, text.length, [text]);
    for (const part of parts) await add(part.path, part.bytes, bytesOf(part));
    controller.finalize();
  };
  // A reader that goes away ends the stream by itself; there is nobody left to tell.
  addAll().catch((error) => controller.error(error));
  return readable;
}

function bytesOf({ content, bytes }: PartSource): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return content instanceof Uint8Array ? [content] : readExtent(content.file, bytes);
}

function manifestText(manifest: Manifest): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(manifest, null, 1)}\n`);
}

/** Takes the parts of an archive, one after the other. */
export interface PartTaker {
  /** Called first; it throws to refuse the whole. */
  begin(manifest: Manifest): void | Promise<void>;
  /** Where a part's bytes go. Nothing may count on them until {@link readArchive} has resolved. */
  open(part: BackupPart): Promise<PartSink>;
}

/** Takes the bytes of one part. */
export interface PartSink {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/**
 * Reads an archive: the manifest, then exactly its parts, each of its size and with its digest.
 *
 * @returns The manifest, when all of it was there.
 * @throws {VaultError} `invalid_argument` for anything that isn't a whole backup; what `taker` throws.
 */
export async function readArchive(archive: ReadableStream<Uint8Array>, taker: PartTaker): Promise<Manifest> {
  const entries = archive.pipeThrough(createTarDecoder({ strict: true })).getReader();
  try {
    const manifest = parseManifest(await manifestTextOf(await nextEntry(entries)));
    await taker.begin(manifest);
    for (const part of manifest.parts) await readPart(await nextEntry(entries), part, taker);
    if (await nextEntry(entries) !== undefined) throw notOurs("there is more in it than its manifest names");
    return manifest;
  } catch (error) {
    await entries.cancel(error).catch(() => {});
    throw error;
  }
}

type Entries = ReadableStreamDefaultReader<ParsedTarEntry>;

async function nextEntry(entries: Entries): Promise<ParsedTarEntry | undefined> {
  return (await orNotOurs(entries.read())).value;
}

async function manifestTextOf(entry: ParsedTarEntry | undefined): Promise<string> {
  if (entry === undefined || entry.header.name !== MANIFEST) throw notOurs("it doesn't begin with a manifest");
  if (entry.header.size > MAX_MANIFEST_BYTES) throw notOurs("its manifest is too long");
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of contentOf(entry)) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

async function readPart(entry: ParsedTarEntry | undefined, part: BackupPart, taker: PartTaker): Promise<void> {
  const { path, bytes, sha256 } = part;
  if (entry === undefined) throw notOurs(`its part ${path} is missing`);
  const { name, size, type } = entry.header;
  if (name !== path || type !== "file") throw notOurs(`there is something else in the place of its part ${path}`);
  if (size !== bytes) throw notOurs(`its part ${path} has another size than its manifest says`);
  const hash = createHash("sha256");
  const sink = await taker.open(part);
  try {
    for await (const chunk of contentOf(entry)) await take(chunk, hash, sink);
  } finally {
    await sink.close();
  }
  if (hash.digest("hex") !== sha256) throw notOurs(`its part ${path} was changed`);
}

async function take(chunk: Uint8Array, hash: Hash, sink: PartSink): Promise<void> {
  hash.update(chunk);
  await sink.write(chunk);
}

async function* contentOf({ body }: ParsedTarEntry): AsyncIterable<Uint8Array> {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await orNotOurs(reader.read());
    if (done) return;
    yield value;
  }
}

/** What comes out of decryption or of the archive's reader is one kind of refusal: the bytes aren't a backup. */
async function orNotOurs<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof VaultError) throw cause;
    throw new VaultError("invalid_argument", "This is not a whole backup of runevault: it can't be read to its end", {
      hint: "it may be cut off or damaged: take another copy of it",
      cause,
    });
  }
}
