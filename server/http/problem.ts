/**
 * Errors of the identity API: from a failure to a status and `{"errors": […]}`.
 *
 * Clients map by status alone (hvac), or match a few words (`permission denied`, `unsupported path`); never is 401 said,
 * which hvac's `is_authenticated` would not survive.
 *
 * @module
 */

import { VaultError, type VaultErrorKind } from "../../vault/errors.ts";

/** A refusal of the face itself, which the domain has no word for. */
export class HttpProblem extends Error {
  /** What is answered where nothing stands beside `errors`. */
  readonly body: string;

  /** @param errors What `errors` says; empty where upstream says nothing. */
  constructor(readonly status: number, readonly errors: readonly string[]) {
    super(errors[0] ?? String(status));
    this.body = JSON.stringify({ errors });
  }
}

/** How upstream prints what its router or its policies refuse. */
export function wrapped(text: string): string {
  return `1 error occurred:\n\t* ${text}\n\n`;
}

/*
 * What is refused most often is made once: an error made for each refusal would cost more than all else of it, and whoever
 * sends bad tokens chooses how many.
 */

/** The policies don't allow it; who has no right to a path doesn't learn whether it exists. */
export const DENIED: HttpProblem = new HttpProblem(403, [wrapped("permission denied")]);

/** No token, on a path that needs one. */
export const MISSING_TOKEN: HttpProblem = new HttpProblem(403, ["permission denied"]);

/** An unknown, ended or expired token. */
export const BAD_TOKEN: HttpProblem = new HttpProblem(403, [
  "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n",
]);

const STATUS: Readonly<Record<VaultErrorKind, number>> = {
  invalid_argument: 400,
  top_k_exceeded: 400,
  ciphertext_invalid: 400,
  precondition_failed: 400,
  already_exists: 400,
  usage: 400,
  token_invalid: 403,
  token_expired: 403,
  permission_denied: 403,
  scope_denied: 403,
  not_found: 404,
  rate_limited: 429,
  cancelled: 499,
  storage_failed: 500,
  config_invalid: 500,
  internal: 500,
  upstream_failed: 500,
  not_ready: 503,
  audit_unavailable: 503,
  unreachable: 503,
};

/** Mistakes of callers that upstream answers by 500, as programs written for it know them. */
const SAID_BY_500: ReadonlySet<string> = new Set([
  "username does not exist",
  "failed to renew entry: policies have changed, not renewing",
]);

/** The status of a failure of the domain. */
export function statusOf(kind: VaultErrorKind): number {
  return STATUS[kind];
}

/** A failure of the domain as a client sees it; what was ours is in the log, under the request's id. */
export function problemOf(error: VaultError, requestId: string): HttpProblem {
  const status = STATUS[error.kind];
  if (error.kind === "token_invalid" || error.kind === "token_expired") return BAD_TOKEN;
  if (status === 500 && error.kind !== "upstream_failed") {
    return new HttpProblem(500, [wrapped(`internal error, request id ${requestId}`)]);
  }
  const text = error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
  if (SAID_BY_500.has(error.message)) return new HttpProblem(500, [wrapped(text)]);
  return new HttpProblem(status, [text]);
}
