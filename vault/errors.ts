/**
 * The one error type and the one table that says how each face shows it.
 *
 * The table holds plain names and numbers, so that the domain imports no transport. Each face has one small
 * translator (`server/grpc/status.ts`, `admin/problem.ts`, `cli/mod.ts`); handlers never pick a status.
 *
 * @module
 */

/** How one kind of error looks on gRPC, on the admin API, and as an exit code of the CLI. */
export interface ErrorRow {
  readonly grpc: string;
  readonly http: number;
  readonly exit: number;
}

/** Every kind of failure a caller can cause or must handle. A kind that is not in this table cannot exist. */
export const ERROR_TABLE = {
  /** Malformed field, duration, rate limit or name. */
  invalid_argument: { grpc: "INVALID_ARGUMENT", http: 400, exit: 1 },
  /** More results asked for than the role allows. */
  top_k_exceeded: { grpc: "INVALID_ARGUMENT", http: 400, exit: 1 },
  /** Cannot decode or authenticate; never says which step failed. */
  ciphertext_invalid: { grpc: "INVALID_ARGUMENT", http: 400, exit: 1 },
  /** Missing, unknown or revoked token; never says which. */
  token_invalid: { grpc: "UNAUTHENTICATED", http: 401, exit: 1 },
  /** A known token past its expiry. */
  token_expired: { grpc: "UNAUTHENTICATED", http: 401, exit: 1 },
  /** The role lacks the scope, or the request came from a place that may not ask. */
  scope_denied: { grpc: "PERMISSION_DENIED", http: 403, exit: 1 },
  /** The caller's policies don't allow it; the wire never says why. */
  permission_denied: { grpc: "PERMISSION_DENIED", http: 403, exit: 1 },
  /** No such user, role, version or route. */
  not_found: { grpc: "NOT_FOUND", http: 404, exit: 1 },
  /** The name is taken, or the user already has a token. */
  already_exists: { grpc: "ALREADY_EXISTS", http: 409, exit: 1 },
  /** The state does not allow it: role in use, default role, no FHE key. */
  precondition_failed: { grpc: "FAILED_PRECONDITION", http: 400, exit: 1 },
  /** Allowance used up; `data.retryAfterSeconds` says when a place is free. */
  rate_limited: { grpc: "RESOURCE_EXHAUSTED", http: 429, exit: 1 },
  /** Nothing can be recorded, so nothing is done: the audit trail's disk is full or gone. */
  audit_unavailable: { grpc: "UNAVAILABLE", http: 503, exit: 1 },
  /** Starting, stopping, or too many logins at once. */
  not_ready: { grpc: "UNAVAILABLE", http: 503, exit: 1 },
  /** The caller went away before the answer was ready. */
  cancelled: { grpc: "CANCELLED", http: 499, exit: 1 },
  /** A service this vault depends on refused or timed out. */
  upstream_failed: { grpc: "UNAVAILABLE", http: 502, exit: 1 },
  /** The change could not be saved, so it did not happen. */
  storage_failed: { grpc: "INTERNAL", http: 500, exit: 1 },
  /** The configuration or the data folder cannot be used; a supervisor must not restart on it. */
  config_invalid: { grpc: "INTERNAL", http: 500, exit: 78 },
  /** The command line is wrong (CLI only). */
  usage: { grpc: "INVALID_ARGUMENT", http: 400, exit: 2 },
  /** No running server was found (CLI only). */
  unreachable: { grpc: "UNAVAILABLE", http: 503, exit: 1 },
  /** Anything that is not a {@link VaultError}: fixed text and a request id on the wire. */
  internal: { grpc: "INTERNAL", http: 500, exit: 1 },
} as const satisfies Record<string, ErrorRow>;

/** The stable name of a failure; callers switch on this, never on the message. */
export type VaultErrorKind = keyof typeof ERROR_TABLE;

/** What may accompany an error besides its kind and message. */
export interface VaultErrorOptions {
  /** Facts a caller can act on, safe to show, such as `retryAfterSeconds` or `index`. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** What to try next, for people; the CLI prints it under the message. */
  readonly hint?: string;
  /** The inner failure, for logs only: it never reaches a wire. */
  readonly cause?: unknown;
}

const TOKEN = /(evt|adm|opr)_[0-9a-f]{32,}/g;

/** Takes out what looks like a user's or operator's token: one that was pasted in the wrong place must not be shown or logged. */
export function hideTokens(text: string): string {
  return text.replace(TOKEN, "$1_[hidden]");
}

/** A failure whose `message` is safe to show to whoever asked. */
export class VaultError extends Error {
  readonly kind: VaultErrorKind;
  readonly data: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(kind: VaultErrorKind, message: string, options: VaultErrorOptions = {}) {
    super(hideTokens(message), options.cause === undefined ? {} : { cause: options.cause });
    this.name = "VaultError";
    this.kind = kind;
    this.data = options.data ?? {};
    this.hint = options.hint;
  }
}

/** Turns anything thrown into a {@link VaultError}; what is not one becomes `internal` with a fixed text. */
export function asVaultError(thrown: unknown): VaultError {
  if (thrown instanceof VaultError) return thrown;
  return new VaultError("internal", "The vault could not answer this request", { cause: thrown });
}
