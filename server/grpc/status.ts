/**
 * The one place where an error becomes a gRPC status.
 *
 * Handlers throw; nobody else picks a code. What a caller may read is the error's own message; inner causes go to the
 * log alone.
 *
 * @module
 */

import { Metadata, status, type StatusObject } from "@grpc/grpc-js";
import { causeOf } from "../../vault/cause.ts";
import { asVaultError, ERROR_TABLE, type VaultError } from "../../vault/errors.ts";
import type { Logger } from "../../vault/ports.ts";

/**
 * Longest message sent, in UTF-16 units. Percent-encoding makes up to nine bytes of each, and clients refuse header
 * blocks above 8 KiB: a longer message would cost the caller the status itself.
 */
const MAX_DETAILS_LENGTH = 500;

/** One text for every way in which a token can be wrong, so that a guess never learns how near it came. */
const TOKEN_INVALID_DETAILS = "The token is missing, unknown or no longer valid";

/** Which call failed, and where to write down what must not reach the caller. */
export interface FailedCall {
  readonly method: string;
  readonly call: { readonly requestId: string };
  readonly logger: Logger;
}

/**
 * Returns the status for anything thrown while answering a call.
 *
 * `rate_limited` carries the seconds until a place is free in its text and as trailing metadata `retry-after`. What
 * ends as `INTERNAL` is logged and shows the caller the request id under which to find it.
 */
export function grpcStatus(thrown: unknown, failed: FailedCall): Partial<StatusObject> {
  const error = asVaultError(thrown);
  const code = status[ERROR_TABLE[error.kind].grpc];
  if (code === status.INTERNAL) logFailure(error, failed);
  const seconds = retryAfterSeconds(error);
  const details = presentable(detailsOf(error, code, seconds, failed.call));
  return seconds === undefined ? { code, details } : { code, details, metadata: retryAfter(seconds) };
}

function detailsOf(error: VaultError, code: status, seconds: number | undefined, call: FailedCall["call"]): string {
  if (error.kind === "token_invalid") return TOKEN_INVALID_DETAILS;
  if (seconds !== undefined) return `${error.message} (retry after ${seconds} s)`;
  if (code === status.INTERNAL) return `${error.message} (request ${call.requestId})`;
  return error.message;
}

/** Whole seconds, rounded up and at least one: a caller that waits this long is not refused for the same window. */
function retryAfterSeconds(error: VaultError): number | undefined {
  const seconds = error.data["retryAfterSeconds"];
  if (error.kind !== "rate_limited" || typeof seconds !== "number" || !Number.isFinite(seconds)) return undefined;
  return Math.max(1, Math.ceil(seconds));
}

function retryAfter(seconds: number): Metadata {
  const metadata = new Metadata();
  metadata.set("retry-after", String(seconds));
  return metadata;
}

/** grpc-js percent-encodes the text with `encodeURI`, which throws on half a surrogate pair: a caller could send one. */
function presentable(details: string): string {
  const short = details.length > MAX_DETAILS_LENGTH ? `${details.slice(0, MAX_DETAILS_LENGTH - 1)}…` : details;
  return short.toWellFormed();
}

function logFailure(error: VaultError, { logger, method, call }: FailedCall): void {
  logger.log("error", "grpc_call_failed", {
    request_id: call.requestId,
    method,
    kind: error.kind,
    message: error.message,
    ...causeOf(error),
  });
}
