/**
 * The caller's span, as the header `traceparent` names it (W3C Trace Context, §3.2).
 *
 * @module
 */

import type { SpanContext } from "@opentelemetry/api";

/** Version, trace, parent and flags; a later version may add more behind a hyphen. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** What later versions may add has no bound of its own. */
const MAX_LENGTH = 256;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
const SAMPLED = 1;

/** Reads the header; undefined for none, and for what isn't valid: then the request's span is a root. */
export function parseTraceParent(header: string | null | undefined): SpanContext | undefined {
  if (!header || header.length > MAX_LENGTH) return undefined;
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(header) ?? [];
  if (traceId === undefined || version === "ff" || version === "00" && more !== undefined) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId: spanId!, traceFlags: parseInt(flags!, 16) & SAMPLED, isRemote: true };
}
