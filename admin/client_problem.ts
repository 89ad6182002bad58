/**
 * Errors of the server, on the client's side.
 *
 * @module
 */

import { ERROR_TABLE, VaultError, type VaultErrorKind } from "../vault/errors.ts";

/** The error in an answer that is no success, as it would have been thrown in the server. */
export function toVaultError(status: number, text: string): VaultError {
  const body = parseProblem(text);
  if (Array.isArray(body?.["errors"])) return apiError(status, body["errors"]);
  if (typeof body?.["error"] !== "string") {
    return new VaultError("internal", `The server answered with status ${status} and no reason`);
  }
  const { error, kind, hint, data, request_id } = body;
  const requestId = typeof request_id === "string" ? ` (request ${request_id})` : "";
  return new VaultError(isKind(kind) ? kind : "internal", `${error}${requestId}`, {
    ...(typeof hint === "string" ? { hint } : {}),
    ...(typeof data === "object" && data !== null ? { data: data as Record<string, unknown> } : {}),
  });
}

const API_KINDS: Readonly<Record<number, VaultErrorKind>> = {
  400: "invalid_argument",
  403: "permission_denied",
  404: "not_found",
  405: "invalid_argument",
  429: "rate_limited",
  503: "not_ready",
};

/** An error of the identity API: a status and texts, which it writes over several lines. */
function apiError(status: number, errors: readonly unknown[]): VaultError {
  const text = errors.join("; ").replace(/^\d+ errors? occurred:\s*\* |\s+$/g, "").replace(/\s+\* /g, "; ");
  return new VaultError(API_KINDS[status] ?? "internal", text === "" ? nameless(status) : text);
}

function nameless(status: number): string {
  return status === 404 ? "There is no such thing" : `The vault answered with status ${status} and no reason`;
}

function isKind(kind: unknown): kind is VaultErrorKind {
  return typeof kind === "string" && Object.hasOwn(ERROR_TABLE, kind);
}

function parseProblem(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
