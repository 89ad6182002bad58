/**
 * The header `traceparent`: what is taken is written again as it came.
 *
 * @module
 */

import fc from "fast-check";
import { parseTraceParent } from "../../../server/tracing/trace_parent.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const valid = fc.oneof(
  fc.constant("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
  fc.tuple(fc.constantFrom("00", "01", "fe", "ff"), hex(32), hex(16), hex(2)).map((parts) => parts.join("-")),
);

/** Headers. */
export const target: FuzzTarget = syncTarget(
  "trace_parents",
  "json",
  fc.oneof(
    { weight: 20, arbitrary: valid },
    { weight: 100, arbitrary: mutatedText(valid, [...AWKWARD_TEXT, "-", "0".repeat(16), "0".repeat(32), "ff", "A"]) },
    { weight: 20, arbitrary: anyText() },
    { weight: 1, arbitrary: bulkText(20_000, ["0", "-", "00-"]) },
  ),
  check,
);

/** W3C Trace Context §3.2: each of the four parts for itself; what later versions add is one line. */
function check(header: string): void {
  const read = parseTraceParent(header);
  const [version = "", traceId = "", spanId = "", flags = "", ...more] = header.split("-");
  const isHex = (text: string, length: number) => text.length === length && /^[0-9a-f]*$/.test(text);
  const isValid = header.length <= 256 && isHex(version, 2) && version !== "ff" && isHex(traceId, 32) &&
    /[1-9a-f]/.test(traceId) && isHex(spanId, 16) && /[1-9a-f]/.test(spanId) && isHex(flags, 2) &&
    (more.length === 0 || version !== "00" && !/[\n\r\u2028\u2029]/.test(header));
  must((read !== undefined) === isValid, `${isValid ? "valid and refused" : "invalid and taken"}`);
  if (read === undefined) return;
  must(read.traceId === traceId && read.spanId === spanId && read.isRemote === true, "another span");
  must(read.traceFlags === (parseInt(flags, 16) & 1), `flags ${read.traceFlags}`);
}
