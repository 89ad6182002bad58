/**
 * The part of a Mach-O program that the compiler adds, and the signature over the whole.
 *
 * What was embedded is the section `d3n0l4nd` of the segment `__SUI`. The compiler signs ad hoc: one CodeDirectory with the
 * SHA-256 of each page of 4096 bytes (Apple's cs_blobs.h). A page that isn't what it says ends the program when it is read,
 * so whoever changes a byte writes the digests anew; no key is involved.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Buffer } from "node:buffer";

const MACH_O_64 = 0xfeedfacf;
const HEADER_BYTES = 32;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
const SEGMENT_BYTES = 72;
const EMBEDDED_SIGNATURE = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
const SHA256_TYPE = 2;

/** Where something lies in a program. */
interface Place {
  readonly at: number;
  readonly size: number;
}

/** The section that was added. */
export interface AddedSection extends Place {
  /** Where the section's size is written. */
  readonly sizeAt: number;
  /** How much room there is: to the end of its segment. */
  readonly room: number;
}

/** Whether a program is of this format. */
export function isMachO(program: Buffer): boolean {
  return program.length > HEADER_BYTES && program.readUInt32LE(0) === MACH_O_64;
}

/** Finds what was added; throws where there is none. */
export function addedSection(program: Buffer): AddedSection {
  for (const { kind, at } of commandsOf(program)) {
    if (kind !== LC_SEGMENT_64 || nameAt(program, at + 8) !== "__SUI") continue;
    const section = at + SEGMENT_BYTES;
    const [segmentAt, segmentSize] = [numberAt(program, at + 40), numberAt(program, at + 48)];
    if (nameAt(program, section) !== "d3n0l4nd") break;
    const start = program.readUInt32LE(section + 48);
    return {
      at: start,
      size: numberAt(program, section + 40),
      sizeAt: section + 40,
      room: segmentAt + segmentSize - start,
    };
  }
  throw new Error("the program holds no section of embedded files");
}

/** Puts other bytes into the section; what is left of its room is zeros. */
export function replaceSection(program: Buffer, { at, sizeAt, room }: AddedSection, content: Buffer): void {
  if (content.length > room) throw new Error(`${content.length} bytes don't fit into ${room}`);
  program.fill(0, at, at + room);
  content.copy(program, at);
  program.writeBigUInt64LE(BigInt(content.length), sizeAt);
}

/** Writes the digests of the pages anew, where there is a signature; throws for one of another form. */
export function signAdHoc(program: Buffer): void {
  const signature = commandsOf(program).find(({ kind }) => kind === LC_CODE_SIGNATURE);
  if (signature === undefined) return;
  const start = program.readUInt32LE(signature.at + 8);
  const directory = start + program.readUInt32BE(start + 16);
  const isAsKnown = program.readUInt32BE(start) === EMBEDDED_SIGNATURE && program.readUInt32BE(start + 8) === 1 &&
    program.readUInt32BE(directory) === CODE_DIRECTORY && program.readUInt8(directory + 37) === SHA256_TYPE;
  if (!isAsKnown) throw new Error("the program's signature has an unknown form");
  const digestsAt = directory + program.readUInt32BE(directory + 16);
  const [pages, limit] = [program.readUInt32BE(directory + 28), program.readUInt32BE(directory + 32)];
  const digestSize = program.readUInt8(directory + 36);
  const pageSize = 2 ** program.readUInt8(directory + 39);
  for (let page = 0; page < pages; page++) {
    const bytes = program.subarray(page * pageSize, Math.min((page + 1) * pageSize, limit));
    createHash("sha256").update(bytes).digest().copy(program, digestsAt + page * digestSize);
  }
}

function commandsOf(program: Buffer): { readonly kind: number; readonly at: number }[] {
  const commands = [];
  let at = HEADER_BYTES;
  for (let left = program.readUInt32LE(16); left > 0; left--) {
    commands.push({ kind: program.readUInt32LE(at), at });
    at += program.readUInt32LE(at + 4);
  }
  return commands;
}

function nameAt(program: Buffer, at: number): string {
  return program.toString("latin1", at, at + 16).replace(/\0+$/, "");
}

function numberAt(program: Buffer, at: number): number {
  return Number(program.readBigUInt64LE(at));
}
