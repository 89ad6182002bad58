/**
 * Takes out of a compiled program what differs from one compilation to the next, so that anybody who compiles the same
 * source with the same Deno gets the same bytes.
 *
 * `deno compile --bundle` gives the bundle and each worker a random name, and keeps the time at which every embedded
 * file was written. Names and times are replaced by others of the same length; nothing moves. Which worker gets which
 * name follows from where its text lies, which is the same each time; the listing is then sorted as its reader wants.
 *
 * Only programs in the ELF format: a Mach-O program is signed over its bytes by the compiler.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const RANDOM_NAME = /^\.deno_compile_(bundle|worker)_[0-9a-f]{8}\.mjs$/;

/** 9 September 2001: thirteen digits, as every time of today has. */
const FIXED_MS = 1_000_000_000_000;

/** How the list of embedded files begins: the bundle's name sorts before all others. */
const LISTING_START = '[{"File":{"n":".deno_compile_bundle_';
const LENGTH_BYTES = 8;

/** An entry of the list of embedded files, as the compiler writes it. */
type Entry = { File: EmbeddedFile } | { Dir: { n: string; e: Entry[] } };

interface EmbeddedFile {
  n: string;
  /** Where its bytes lie, and how many. */
  o: [number, number];
  /** When it was written, in milliseconds. */
  t?: number;
}

/**
 * Changes a program in place.
 *
 * @throws {Error} For bytes in which the list of embedded files isn't where this Deno puts it, or has another form.
 */
export function steadyNames(program: Uint8Array): void {
  const bytes = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
  const at = bytes.lastIndexOf(LISTING_START);
  if (at < LENGTH_BYTES) throw new Error("the program holds no list of embedded files");
  const length = Number(bytes.readBigUInt64LE(at - LENGTH_BYTES));
  const listing = bytes.subarray(at, at + length);
  const entries = JSON.parse(listing.toString()) as Entry[];
  const names = steadyNamesOf(entries);
  fixTimes(entries);
  replace(listing, JSON.stringify(rename(entries, names)));
  for (const [name, steady] of names) replaceAll(bytes, name, steady);
}

/** The random names at the top of the list, each with the one to take its place. */
function steadyNamesOf(entries: readonly Entry[]): Map<string, string> {
  const files = entries.flatMap((entry) => "File" in entry && RANDOM_NAME.test(entry.File.n) ? [entry.File] : []);
  files.sort((a, b) => a.o[0] - b.o[0]);
  return new Map(files.map(({ n }, index) => {
    const [, kind] = RANDOM_NAME.exec(n)!;
    return [n, `.deno_compile_${kind}_${index.toString(16).padStart(8, "0")}.mjs`];
  }));
}

function fixTimes(entries: readonly Entry[]): void {
  for (const entry of entries) {
    if ("Dir" in entry) fixTimes(entry.Dir.e);
    else if (entry.File.t !== undefined) entry.File.t = FIXED_MS;
  }
}

function rename(entries: Entry[], names: ReadonlyMap<string, string>): Entry[] {
  for (const entry of entries) if ("File" in entry) entry.File.n = names.get(entry.File.n) ?? entry.File.n;
  const nameOf = (entry: Entry) => "File" in entry ? entry.File.n : entry.Dir.n;
  return entries.sort((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
}

function replace(place: Buffer, text: string): void {
  if (Buffer.byteLength(text) !== place.length) throw new Error("the list of embedded files has an unknown form");
  place.write(text);
}

function replaceAll(bytes: Buffer, from: string, to: string): void {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + to.length)) bytes.write(to, at);
}
