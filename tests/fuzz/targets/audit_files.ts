/**
 * Files of the audit trail, plain and compressed, by this program and by others, whoever changed their bytes since: what
 * reads them gives lines or refuses, and the index finds in a line what a reader of JSON finds.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { packMember } from "../../../vault/audit/block_gzip.ts";
import { Chain } from "../../../vault/audit/chain.ts";
import { GENESIS_HASH, parseLine } from "../../../vault/audit/entry.ts";
import { scanLine } from "../../../vault/audit/index/entry_scan.ts";
import { linesOf } from "../../../vault/audit/trail_files.ts";
import { bulkBytes, mutatedBytes } from "../mutations.ts";
import { assertRefusal, must, parseOrRefuse } from "../refusals.ts";
import { asyncTarget, type FuzzTarget } from "../target.ts";

const LINES = linesOfTrail();
const WRITTEN: ReadonlySet<string> = new Set(LINES.toString("utf8").split("\n"));
const HALF = LINES.length >>> 1;
/** As they are written, rotated and compressed: by this program in one member and in two, and by another. */
const FILES: readonly Uint8Array[] = [
  LINES,
  packMember(LINES),
  Buffer.concat([packMember(LINES.subarray(0, HALF)), packMember(LINES.subarray(HALF))]),
  gzipSync(LINES),
];

function linesOfTrail(): Buffer {
  const chain = new Chain({ sequence: 0, hash: GENESIS_HASH, key: new Uint8Array(32).fill(5) });
  const who = [{}, { user: "alice" }, { user: "al\\ice", entity_id: "0190" }, {
    error: "not_found",
    entity_id: "0190",
  }];
  const lines = who.map((more, i) => {
    const times = { time: `2026-03-20T10:00:0${i}.000Z`, request_id: `r${i}`, face: "api", operation: "read a" };
    return chain.append(JSON.stringify({ ...times, decision: "allowed", ...more, resource: { path: "é" } }));
  });
  return Buffer.from(lines.map((line) => `${line}\n`).join(""));
}

let folder: string | undefined;

/** A file's bytes; the first says whether it is called `.gz`. */
const input = fc.tuple(
  fc.boolean(),
  fc.oneof(
    { weight: 100, arbitrary: mutatedBytes(fc.constantFrom(...FILES)) },
    { weight: 10, arbitrary: fc.constantFrom(...FILES) },
    { weight: 1, arbitrary: bulkBytes(2000, [[0x0a], [...new TextEncoder().encode('{"seq":1,')], [0x1f, 0x8b]]) },
  ),
).map(([isPacked, bytes]) => Uint8Array.from([isPacked ? 1 : 0, ...bytes]));

/** Files. */
export const target: FuzzTarget = asyncTarget("audit_files", "bytes", input, check, {
  close: async () => {
    if (folder !== undefined) await Deno.remove(folder, { recursive: true });
    folder = undefined;
  },
});

async function check(bytes: Uint8Array): Promise<void> {
  folder ??= await Deno.makeTempDir({ prefix: "runevault-fuzz-" });
  const path = `${folder}/audit.log.1${bytes[0] === 1 ? ".gz" : ""}`;
  Deno.writeFileSync(path, bytes.subarray(1));
  try {
    for await (const { text } of linesOf(path)) assertScanned(text);
  } catch (thrown) {
    assertRefusal(thrown, ["invalid_argument"]);
  }
}

/** Of a line that nobody changed the index finds what stands in it; of others something at most, and `verify` names them. */
function assertScanned(line: string): void {
  const found = scanLine(line);
  const entry = parseOrRefuse(["invalid_argument"], () => parseLine(line));
  must(found === null || Number.isSafeInteger(found.seq) && !Number.isNaN(Date.parse(found.time)), "no entry's number");
  if (entry === undefined || !WRITTEN.has(line)) return;
  const { seq, time, operation, user, entity_id: entityId } = entry;
  const isSame = JSON.stringify(found) === JSON.stringify({ seq, time, operation, user, entityId });
  must(isSame, `${JSON.stringify(found)} of ${line.slice(0, 500)}`);
}
