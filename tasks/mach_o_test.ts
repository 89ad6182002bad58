import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { addedSection, isMachO, replaceSection, signAdHoc } from "./mach_o.ts";

const PAGE = 4096;
const SECTION_AT = PAGE;
const ROOM = 2 * PAGE;
const SIGNATURE_AT = 3 * PAGE;
const DIGESTS_AT = 94;

/** A program of three pages, the later two for what is embedded, with the signature that the compiler writes. */
function program(embedded: string): Buffer {
  const bytes = Buffer.alloc(SIGNATURE_AT + 20 + DIGESTS_AT + 3 * 32);
  bytes.writeUInt32LE(0xfeedfacf, 0);
  bytes.writeUInt32LE(2, 16);
  writeSegment(bytes.subarray(32), embedded.length);
  bytes.writeUInt32LE(0x1d, 184);
  bytes.writeUInt32LE(16, 188);
  bytes.writeUInt32LE(SIGNATURE_AT, 192);
  bytes.write(embedded, SECTION_AT);
  writeSignature(bytes.subarray(SIGNATURE_AT));
  signAdHoc(bytes);
  return bytes;
}

function writeSegment(command: Buffer, size: number): void {
  command.writeUInt32LE(0x19, 0);
  command.writeUInt32LE(152, 4);
  command.write("__SUI", 8);
  command.writeBigUInt64LE(BigInt(SECTION_AT), 40);
  command.writeBigUInt64LE(BigInt(ROOM), 48);
  command.write("d3n0l4nd", 72);
  command.writeBigUInt64LE(BigInt(size), 72 + 40);
  command.writeUInt32LE(SECTION_AT, 72 + 48);
}

function writeSignature(signature: Buffer): void {
  signature.writeUInt32BE(0xfade0cc0, 0);
  signature.writeUInt32BE(1, 8);
  signature.writeUInt32BE(20, 16);
  const directory = signature.subarray(20);
  directory.writeUInt32BE(0xfade0c02, 0);
  directory.writeUInt32BE(DIGESTS_AT, 16);
  directory.writeUInt32BE(3, 28);
  directory.writeUInt32BE(SIGNATURE_AT, 32);
  directory.set([32, 2, 0, 12], 36);
}

function digests(bytes: Buffer): string[] {
  const at = SIGNATURE_AT + 20 + DIGESTS_AT;
  return [0, 1, 2].map((page) => bytes.toString("hex", at + 32 * page, at + 32 * (page + 1)));
}

function pagesOf(bytes: Buffer): string[] {
  const page = (n: number) => bytes.subarray(n * PAGE, (n + 1) * PAGE);
  return [0, 1, 2].map((n) => createHash("sha256").update(page(n)).digest("hex"));
}

Deno.test("what is embedded is found, replaced, and signed: each page has the digest that it says", () => {
  const bytes = program("embedded".repeat(600));
  ok(isMachO(bytes) && !isMachO(Buffer.from("\x7fELF".padEnd(64))));
  deepEqual(digests(bytes), pagesOf(bytes));
  const section = addedSection(bytes);
  equal(bytes.toString("latin1", section.at, section.at + section.size), "embedded".repeat(600));
  replaceSection(bytes, section, Buffer.from("other"));
  ok(digests(bytes).join() !== pagesOf(bytes).join(), "a changed page is not what the signature says");
  signAdHoc(bytes);
  deepEqual(digests(bytes), pagesOf(bytes));
  equal(addedSection(bytes).size, 5);
  ok(
    bytes.subarray(section.at + 5, section.at + ROOM).every((byte) => byte === 0),
    "nothing is left of what was there",
  );
});

Deno.test("what doesn't fit, and a signature of another form, are refused", () => {
  const bytes = program("x");
  throws(() => replaceSection(bytes, addedSection(bytes), Buffer.alloc(ROOM + 1)), /don't fit/);
  bytes.writeUInt32BE(2, SIGNATURE_AT + 8);
  throws(() => signAdHoc(bytes), /unknown form/);
  bytes.write("other", 32 + 72);
  throws(() => addedSection(bytes), /no section/);
});
