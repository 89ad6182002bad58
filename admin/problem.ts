/**
 * Errors on the admin API: `{"error","kind"}`, plus `hint`, `data` and `request_id` where there are any.
 *
 * @module
 */

import { ERROR_TABLE, VaultError, type VaultErrorKind } from "../vault/errors.ts";

/** The body of every answer that is not a success. */
export interface ProblemBody {
  readonly error: string;
  readonly kind: VaultErrorKind;
  readonly hint?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Names the log entry of an unforeseen failure. */
  readonly request_id?: string;
}

/** The answer for an error; the status comes from the error table. */
export function problemResponse(error: VaultError, requestId?: string): Response {
  const body: ProblemBody = {
    error: error.message,
    kind: error.kind,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(Object.keys(error.data).length === 0 ? {} : { data: error.data }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
  };
  return Response.json(body, { status: ERROR_TABLE[error.kind].http, headers: problemHeaders(error) });
}

/** The answer for a known path and a method that it does not have (RFC 9110 §15.5.6). */
export function methodNotAllowed(method: string, allowed: readonly string[]): Response {
  const allow = allowed.join(", ");
  const error = `Method ${method.slice(0, 20)} is not possible here`;
  const body: ProblemBody = { error, kind: "invalid_argument", hint: `use ${allow}` };
  return Response.json(body, { status: 405, headers: { allow } });
}

function problemHeaders(error: VaultError): Record<string, string> {
  if (error.kind === "token_invalid" || error.kind === "token_expired") return { "www-authenticate": "Bearer" };
  if (error.kind === "rate_limited") return { "retry-after": String(error.data["retryAfterSeconds"] ?? 1) };
  return {};
}
