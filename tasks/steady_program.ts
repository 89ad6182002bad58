/**
 * Takes out of a compiled program what differs from one compilation to the next, so that anybody who compiles the same
 * source with the same Deno gets the same bytes.
 *
 * `deno compile --bundle` gives the bundle and each worker a random name, keeps the time at which every embedded file was
 * written, and embeds the files of npm packages in an order that it draws, each with what it found out about its code: for
 * one that isn't code, an error that names the folder of whoever compiles. In the bundle it labels each module of npm with
 * the path of whoever's cache it came from. Here each name follows from where its text lies among the others of its kind,
 * which is the same each time; times are one time; the errors go; labels begin where the cache does; and the files are laid
 * out anew, in the order of their paths.
 *
 * What the compiler embeds ends so: length and list of the embedded files (JSON), length and bytes of all of them, a mark.
 * An ELF program ends with it, and a trailer that tells its length; in a Mach-O program it is a section, and the signature
 * is written anew.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { addedSection, isMachO, replaceSection, signAdHoc } from "./mach_o.ts";

const RANDOM_NAME = /^\.deno_compile_(bundle|worker)_[0-9a-f]{8}\.mjs$/;

/** 9 September 2001: thirteen digits, as every time of today has. */
const FIXED_MS = 1_000_000_000_000;

/** How the list begins: the bundle's name sorts before all others. */
const LIST_START = '[{"File":{"n":".deno_compile_bundle_';
const LENGTH_BYTES = 8;
const MARK = "d3n0l4nd";
const TRAILER_MAGIC = 0x501e;
const TRAILER_BYTES = 16;

/** An entry of the list of embedded files, as the compiler writes it. */
type Entry = { File: EmbeddedFile } | { Dir: { n: string; e: Entry[] } };

/** Where bytes lie among those of all embedded files, and how many there are. */
type Place = [offset: number, length: number];

interface EmbeddedFile {
  n: string;
  /** Its bytes. */
  o: Place;
  /** What was found out about its code; without it, the runtime finds out when the code is loaded. */
  c?: Place;
  /** When it was written, in milliseconds. */
  t?: number;
}

/**
 * The program with everything in one order.
 *
 * @param npmCache How the bundle calls the folder of npm's packages: the path to it from the folder of the source.
 * @throws {Error} For bytes in which the embedded files aren't where this Deno puts them, or have another form.
 */
export function steadyProgram(program: Uint8Array, npmCache: string): Uint8Array {
  const bytes = Buffer.from(program);
  return isMachO(bytes) ? steadyMachO(bytes, npmCache) : steadyElf(bytes, npmCache);
}

function steadyElf(bytes: Buffer, npmCache: string): Buffer {
  const trailer = Buffer.from(bytes.subarray(-TRAILER_BYTES));
  if (trailer.length < TRAILER_BYTES || trailer.readUInt32LE(0) !== TRAILER_MAGIC) {
    throw new Error("the program does not end as those of the known Deno do");
  }
  const size = Number(trailer.readBigUInt64LE(TRAILER_BYTES - LENGTH_BYTES));
  const at = bytes.length - TRAILER_BYTES - size;
  const section = steadySection(bytes.subarray(at, at + size), npmCache);
  trailer.writeBigUInt64LE(BigInt(section.length), TRAILER_BYTES - LENGTH_BYTES);
  return Buffer.concat([bytes.subarray(0, at), section, trailer]);
}

function steadyMachO(bytes: Buffer, npmCache: string): Buffer {
  const section = addedSection(bytes);
  const steady = steadySection(bytes.subarray(section.at, section.at + section.size), npmCache);
  replaceSection(bytes, section, steady);
  signAdHoc(bytes);
  return bytes;
}

function steadySection(section: Buffer, npmCache: string): Buffer {
  const { listAt, dataAt, end } = partsOf(section);
  const entries = JSON.parse(section.subarray(listAt, dataAt - LENGTH_BYTES).toString()) as Entry[];
  const names = steadyNames(entries);
  const data = layOut(sorted(entries, names), section.subarray(dataAt, end), npmCache);
  const list = Buffer.from(JSON.stringify(entries));
  const before = section.subarray(0, listAt - LENGTH_BYTES);
  const made = Buffer.concat([before, lengthOf(list), list, lengthOf(data), data, Buffer.from(MARK)]);
  for (const [name, steady] of names) replaceAll(made, name, steady);
  return made;
}

function partsOf(section: Buffer): { listAt: number; dataAt: number; end: number } {
  const listAt = section.lastIndexOf(LIST_START);
  if (listAt < LENGTH_BYTES) throw new Error("the program holds no list of embedded files");
  const dataAt = listAt + Number(section.readBigUInt64LE(listAt - LENGTH_BYTES)) + LENGTH_BYTES;
  const end = dataAt + Number(section.readBigUInt64LE(dataAt - LENGTH_BYTES));
  if (section.toString("latin1", end) === MARK) return { listAt, dataAt, end };
  throw new Error("what is embedded does not end as the known Deno ends it");
}

/** The random names at the top of the list, each with the one to take its place. */
function steadyNames(entries: readonly Entry[]): Map<string, string> {
  const files = entries.flatMap((entry) => "File" in entry && RANDOM_NAME.test(entry.File.n) ? [entry.File] : []);
  files.sort((a, b) => a.o[0] - b.o[0]);
  return new Map(files.map(({ n }, index) => {
    const [, kind] = RANDOM_NAME.exec(n)!;
    return [n, `.deno_compile_${kind}_${index.toString(16).padStart(8, "0")}.mjs`];
  }));
}

/** Gives the entries their names and their time, and sorts them in place: who reads the list searches it by halves. */
function sorted(entries: Entry[], names: ReadonlyMap<string, string>): Entry[] {
  const nameOf = (entry: Entry) => "File" in entry ? entry.File.n : entry.Dir.n;
  for (const entry of entries) {
    if ("Dir" in entry) sorted(entry.Dir.e, names);
    else {
      entry.File.n = names.get(entry.File.n) ?? entry.File.n;
      delete entry.File.c;
      if (entry.File.t !== undefined) entry.File.t = FIXED_MS;
    }
  }
  return entries.sort((a, b) => Buffer.compare(Buffer.from(nameOf(a)), Buffer.from(nameOf(b))));
}

/** Moves each file's bytes to where its turn is, and says so in the list; the same bytes are kept once, as before. */
function layOut(entries: readonly Entry[], data: Buffer, npmCache: string): Buffer {
  const parts: Buffer[] = [];
  const moved = new Map<string, Place>();
  let offset = 0;
  for (const file of filesOf(entries)) {
    const [from, length] = file.o;
    if (from + length > data.length) throw new Error("the list of embedded files leads out of them");
    const known = moved.get(`${from}+${length}`);
    if (known === undefined) {
      const bytes = data.subarray(from, from + length);
      const part = RANDOM_NAME.test(file.n) ? inAscii(withoutCachePaths(bytes, npmCache)) : bytes;
      moved.set(`${from}+${length}`, [offset, part.length]);
      parts.push(part);
      offset += part.length;
    }
    file.o = [...moved.get(`${from}+${length}`)!];
  }
  return Buffer.concat(parts);
}

/** They are labels alone: comments, and names of modules that nobody asks for by them. */
function withoutCachePaths(bundle: Buffer, npmCache: string): Buffer {
  return Buffer.from(bundle.toString("latin1").replaceAll(npmCache, "npm/"), "latin1");
}

/**
 * The same program in ASCII alone: for one character beyond Latin-1, in a comment say, the engine would keep the whole text
 * at two bytes a character, in a copy of its own, where it reads these bytes in their place.
 */
function inAscii(bundle: Buffer): Buffer {
  const text = bundle.toString();
  if (/\\[^\0-\x7f]/.test(text)) throw new Error("a backslash before a character beyond ASCII can't be written in it");
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return Buffer.from(text.replace(/[^\0-\x7f]/g, escaped), "latin1");
}

function filesOf(entries: readonly Entry[]): EmbeddedFile[] {
  return entries.flatMap((entry) => "File" in entry ? [entry.File] : filesOf(entry.Dir.e));
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return length;
}

function replaceAll(bytes: Buffer, from: string, to: string): void {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + to.length)) bytes.write(to, at);
}
