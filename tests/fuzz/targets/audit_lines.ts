/**
 * Lines of the audit trail, as `verify` and the index read them: whatever stands in a file, a line that differs from what was
 * written is found, and nothing but a refusal comes of it.
 *
 * @module
 */

import fc from "fast-check";
import { Chain } from "../../../vault/audit/chain.ts";
import { GENESIS_HASH, lineParts, parseLine } from "../../../vault/audit/entry.ts";
import { parseSeriesKey } from "../../../vault/audit/series_key.ts";
import { TrailChecker } from "../../../vault/audit/verify.ts";
import { anyText, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const KEY = new Uint8Array(32).fill(5);
const ENTRY = {
  time: "2026-03-20T10:00:00.000Z",
  request_id: "9c1c5d5e",
  face: "api",
  operation: "read token/lookup-self",
  decision: "allowed",
  user: "al\\ice",
  resource: { path: "auth/token/lookup-self" },
};

const WRITTEN = new Chain({ sequence: 0, hash: GENESIS_HASH, key: KEY }).append(JSON.stringify(ENTRY));
const PIECES = ['"seq":', '{"seq":1,', '"prev":"', '"mac":"', '"}', "\\u0000", "__proto__", "0", "9007199254740993"];

/** Lines. */
export const target: FuzzTarget = syncTarget(
  "audit_lines",
  "json",
  fc.oneof(
    { weight: 100, arbitrary: mutatedText(fc.constant(WRITTEN), PIECES) },
    { weight: 20, arbitrary: fc.constant(WRITTEN) },
    { weight: 30, arbitrary: anyText() },
    { weight: 1, arbitrary: bulkText(100_000, ["{", '"seq":1,', '"prev":"', "0"]) },
  ),
  check,
);

function check(text: string): void {
  const parts = parseOrRefuse(["invalid_argument"], () => lineParts(text));
  const entry = parseOrRefuse(["invalid_argument"], () => parseLine(text));
  must(entry === undefined || parts !== undefined, "an entry was read from what is no line");
  const keys = [{ firstSequence: 1, key: KEY }];
  const broken = new TrailChecker({ keys }).check(text, "audit.log", 1);
  must((broken === null) === (text === WRITTEN), `${JSON.stringify(text)}: ${broken?.reason ?? "not found"}`);
  const key = parseOrRefuse(["invalid_argument"], () => parseSeriesKey(text));
  must(key === undefined || key.key.length === 32, "a key of another length");
}
