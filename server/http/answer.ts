/**
 * Answers of the identity API: the envelope, and the headers that clients compare byte by byte.
 *
 * @module
 */

import type { EnvelopeAnswer, RawAnswer } from "./route.ts";

/** hvac parses `errors` only where the type is exactly this. */
const JSON_TYPE = "application/json";
/** What every answer has that doesn't say otherwise. */
const DEFAULTS: Readonly<Record<string, string>> = { "cache-control": "no-store" };
const NO_HEADERS: Readonly<Record<string, string>> = {};

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

/**
 * The response of a reply. The runtime makes one with a type alone at no cost, and takes further headers one by one;
 * several given to the constructor cost as much as the rest of an answer.
 */
export function toResponse(
  { status, body, headers = NO_HEADERS }: Reply,
  more: Readonly<Record<string, string>>,
): Response {
  const response = new Response(body, { status, headers: { "content-type": headers["content-type"] ?? JSON_TYPE } });
  const sent = response.headers;
  const rest = headers === NO_HEADERS ? DEFAULTS : { ...DEFAULTS, ...headers };
  for (const name in rest) if (name !== "content-type") sent.append(name, rest[name]!);
  for (const name in more) if (headers[name] === undefined) sent.append(name, more[name]!);
  return response;
}

/** The body of an answer that has no envelope. */
export function rawBody({ raw }: RawAnswer): string | null {
  return raw === null || typeof raw === "string" ? raw : JSON.stringify(raw);
}
