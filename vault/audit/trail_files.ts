/**
 * The files of a trail: the one that is written, and those before it, whoever rotated them.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { VaultError } from "../errors.ts";
import { hasMembers, MemberReader } from "./block_gzip.ts";
import { lineParts, MAX_LINE_BYTES } from "./entry.ts";

/** One file with the number of its first line. */
export interface TrailFile {
  readonly path: string;
  /** Null: it has no line. */
  readonly first: number | null;
}

/** Names that rotation gives to former files: ours, and logrotate's (`audit.log.1`, `audit.log-20260320`), packed or not. */
function isFormer(name: string, current: string): boolean {
  const bare = name.endsWith(".gz") ? name.slice(0, -3) : name;
  return /^(\.[0-9]+|-[0-9]{8})$/.test(bare.startsWith(current) ? bare.slice(current.length) : "") ||
    isOwnFormer(bare, current);
}

const DIGITS = 16;

/** The name that our rotation gives to the file `current`, which ends with this entry: `audit-0000000000001234.log`. */
export function formerName(current: string, last: number): string {
  const extension = current.endsWith(".log") ? ".log" : "";
  const stem = current.slice(0, current.length - extension.length);
  return `${stem}-${String(last).padStart(DIGITS, "0")}${extension}`;
}

/** Whether our rotation made this name. */
export function isOwnFormer(name: string, current: string): boolean {
  const bare = name.endsWith(".gz") ? name.slice(0, -3) : name;
  const stem = current.replace(/\.log$/, "");
  const digits = bare.slice(stem.length + 1, stem.length + 1 + DIGITS);
  return /^[0-9]{16}$/.test(digits) && bare === formerName(current, Number(digits));
}

/**
 * All files of the trail whose present file is `path`, in the order of their lines.
 *
 * @param known Former files that were looked into before; those that are new are added.
 */
export async function trailFiles(path: string, known?: Map<string, TrailFile>): Promise<TrailFile[]> {
  for (let look = 1;; look++) {
    try {
      return await lookedUp(path, known);
    } catch (error) {
      // One that was packed or removed between the listing and the look into it.
      const isGone = error instanceof VaultError && error.kind === "not_found";
      if (!isGone || look === LOOKS) throw error;
    }
  }
}

const LOOKS = 5;

async function lookedUp(path: string, known: Map<string, TrailFile> | undefined): Promise<TrailFile[]> {
  const folder = dirname(path);
  const current = basename(path);
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const { name } = entry;
    if ((name === current || isFormer(name, current)) && await isFileAt(`${folder}/${name}`, entry)) names.push(name);
  }
  // For a moment a file is there packed and unpacked.
  const isTwice = (name: string) => names.includes(`${name}.gz`);
  const [here, former] = [
    names.filter((name) => name === current),
    names.filter((name) => name !== current && !isTwice(name)),
  ];
  const files = [...await inOrder(here.map((name) => `${folder}/${name}`))];
  for (const name of former) files.push(await formerFile(`${folder}/${name}`, known));
  return files.sort(byFirst);
}

/** A symbolic link counts as what it leads to: the writer follows it too. */
async function isFileAt(path: string, { isFile, isSymlink }: Deno.DirEntry): Promise<boolean> {
  if (!isSymlink) return isFile;
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What has a name of its own never changes; logrotate's numbers move on, and are looked at anew. */
async function formerFile(path: string, known: Map<string, TrailFile> | undefined): Promise<TrailFile> {
  const found = known?.get(path) ?? { path, first: await firstNumber(path) };
  if (!/\.[0-9]+(\.gz)?$/.test(path)) known?.set(path, found);
  return found;
}

/** Files in the order of their lines; those without any come last. */
export async function inOrder(paths: readonly string[]): Promise<TrailFile[]> {
  const files = await Promise.all(paths.map(async (path) => ({ path, first: await firstNumber(path) })));
  return files.sort(byFirst);
}

function byFirst(a: TrailFile, b: TrailFile): number {
  return (a.first ?? Infinity) - (b.first ?? Infinity);
}

/** The number of a file's first line; null where it has none that can be read. */
async function firstNumber(path: string): Promise<number | null> {
  try {
    for await (const { text } of linesOf(path)) return lineParts(text).seq;
    return null;
  } catch (error) {
    if (error instanceof VaultError && error.kind === "invalid_argument") return null;
    throw error;
  }
}

/** A line and where it is. */
export interface PlacedLine {
  readonly text: string;
  /** Number in its file, from 1. */
  readonly number: number;
}

/**
 * The whole lines of a file, unpacked where its name ends in `.gz`. What has no line break at the end of the file isn't
 * there yet.
 *
 * @throws {VaultError} `not_found`, `invalid_argument` for a line that is too long.
 */
export async function* linesOf(path: string): AsyncGenerator<PlacedLine> {
  let rest = "";
  let number = 0;
  for await (const chunk of await textOf(path)) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    if (rest.length > MAX_LINE_BYTES) throw new VaultError("invalid_argument", `${path}: a line is too long`);
    for (const text of lines) yield { text, number: ++number };
  }
}

/** Lines are hashed as they stand: what is not UTF-8 becomes a mark that no hash fits. */
async function textOf(path: string): Promise<AsyncIterable<string>> {
  if (path.endsWith(".gz") && hasMembers(path)) return membersOf(path);
  const { readable } = await opened(path);
  return path.endsWith(".gz") ? unpacked(path, readable) : decoded(readable);
}

function decoded(bytes: ReadableStream<BufferSource>): ReadableStream<string> {
  return bytes.pipeThrough(new TextDecoderStream("utf-8", { ignoreBOM: true }));
}

/** What another program packed. */
async function* unpacked(path: string, bytes: ReadableStream<BufferSource>): AsyncGenerator<string> {
  try {
    yield* decoded(bytes.pipeThrough(new DecompressionStream("gzip")));
  } catch (cause) {
    throw cantUnpack(path, cause);
  }
}

/** What we packed ourselves; the runtime's stream can't read a file of several members. */
async function* membersOf(path: string): AsyncGenerator<string> {
  using reader = new MemberReader(path);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let index = 0;; index++) {
    const bytes = memberOf(reader, index, path);
    if (bytes === null || bytes.length === 0) break;
    yield decoder.decode(bytes, { stream: true });
    await Promise.resolve();
  }
  yield decoder.decode();
}

function memberOf(reader: MemberReader, index: number, path: string): Uint8Array | null {
  try {
    return reader.member(index);
  } catch (cause) {
    throw cantUnpack(path, cause);
  }
}

function cantUnpack(path: string, cause: unknown): VaultError {
  return new VaultError("invalid_argument", `${path} can't be unpacked: it was altered or cut off`, { cause });
}

/** A folder can be opened like a file; only reading it fails, with words that don't name it. */
async function opened(path: string): Promise<Deno.FsFile> {
  try {
    if ((await Deno.stat(path)).isDirectory) throw new Error("it is a folder");
    return await Deno.open(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "unknown failure";
    throw new VaultError("not_found", `${path} can't be read: ${reason}`, { cause });
  }
}
