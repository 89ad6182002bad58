/**
 * Answers of the identity API: the envelope, and the headers that clients compare byte by byte.
 *
 * @module
 */

import type { EnvelopeAnswer, RawAnswer } from "./route.ts";

/** hvac parses `errors` only where the type is exactly this. */
const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

/** What surrounds an answer. */
export interface Around {
  readonly requestId: string;
  readonly mountType: string;
  readonly warnings: readonly string[];
}

/** The envelope of an answer, as an object. */
export function envelopeOf(
  answer: EnvelopeAnswer,
  { requestId, mountType, warnings }: Around,
): Record<string, unknown> {
  const envelope = {
    request_id: requestId,
    lease_id: answer.lease?.id ?? "",
    renewable: answer.lease?.renewable ?? false,
    lease_duration: answer.lease?.duration ?? 0,
    data: answer.data ?? null,
    wrap_info: null,
    warnings: warnings.length === 0 ? null : warnings,
    auth: answer.auth ?? null,
    mount_type: mountType,
  };
  // What stands in the envelope is the envelope's: no name of a mount or path can hide it.
  return answer.isDuplicated ? { ...answer.data, ...envelope } : envelope;
}

/** An answer on its way to the wire. */
export interface Reply {
  readonly status: number;
  readonly body: string | null;
  /** They win over those that every answer has. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The response of a reply, its headers made in one go: each that is set later costs as much as all of them. */
export function toResponse({ status, body, headers }: Reply, more: Readonly<Record<string, string>>): Response {
  return new Response(body, { status, headers: { ...JSON_HEADERS, ...more, ...headers } });
}

/** The body of an answer that has no envelope. */
export function rawBody({ raw }: RawAnswer): string | null {
  return raw === null || typeof raw === "string" ? raw : JSON.stringify(raw);
}
