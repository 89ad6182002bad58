import { deepEqual, equal } from "node:assert/strict";
import { parseTraceParent } from "./trace_parent.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

Deno.test("traceparent is read as W3C Trace Context has it, later versions included", () => {
  const parent = { traceId: TRACE, spanId: SPAN, isRemote: true };
  deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-01`), { ...parent, traceFlags: 1 });
  deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-00`), { ...parent, traceFlags: 0 });
  deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-fe`), { ...parent, traceFlags: 0 }, "flags that nobody knows yet");
  deepEqual(parseTraceParent(`cc-${TRACE}-${SPAN}-01`), { ...parent, traceFlags: 1 });
  deepEqual(parseTraceParent(`cc-${TRACE}-${SPAN}-01-what-comes`), { ...parent, traceFlags: 1 });
});

Deno.test("what is no valid traceparent counts as none", () => {
  const wrong = [
    "",
    "hello",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01-`,
    `cc-${TRACE}-${SPAN}-01x`,
    `cc-${TRACE}-${SPAN}-01-${"x".repeat(300)}`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
  ];
  for (const header of wrong) equal(parseTraceParent(header), undefined, header);
  for (const header of [null, undefined]) equal(parseTraceParent(header), undefined);
});
