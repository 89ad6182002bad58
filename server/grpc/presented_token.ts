/**
 * Finds the user token that a call presents. Whether it is a good one is the domain's to say.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { VaultError } from "../../vault/errors.ts";

/** Longer tokens are refused unread, so that a caller cannot have megabytes hashed. */
export const MAX_TOKEN_LENGTH = 4096;

/**
 * Returns the token of `authorization: Bearer` metadata, of `request.token`, or of both when they are equal.
 *
 * @param request The message whose field `token` counts; absent for methods that take the token as metadata alone.
 * @throws {VaultError} `token_invalid` when there is none, or two that differ.
 */
export function presentedToken(metadata: Metadata, request?: unknown): string {
  const field = tokenField(request);
  const bearer = bearerToken(metadata);
  const token = field || bearer || "";
  if (token === "" || token.length > MAX_TOKEN_LENGTH) throw invalidToken();
  if (field !== "" && bearer !== undefined && !equalSecrets(field, bearer)) throw invalidToken();
  return token;
}

/** An empty field is an absent one (proto3). */
function tokenField(request: unknown): string {
  const token = (request as { token?: unknown } | undefined)?.token;
  return typeof token === "string" ? token : "";
}

/** RFC 6750 §2.1. Credentials of another scheme are not ours: a proxy may have put them there. */
function bearerToken(metadata: Metadata): string | undefined {
  const values = metadata.get("authorization");
  if (values.length === 0) return undefined;
  if (values.length > 1) throw invalidToken();
  return bearerOf(String(values[0]));
}

/** The token in the value of an `authorization` header: undefined where the scheme is another, `""` for none. */
export function bearerOf(authorization: string): string | undefined {
  const match = /^bearer(?: +(.*))?$/i.exec(authorization);
  return match === null ? undefined : match[1] ?? "";
}

/** Compares digests, so that neither content nor length shows in the time it takes. */
function equalSecrets(left: string, right: string): boolean {
  return right.length <= MAX_TOKEN_LENGTH && timingSafeEqual(sha256(left), sha256(right));
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text, "utf8").digest();
}

function invalidToken(): VaultError {
  return new VaultError("token_invalid", "The token is not valid");
}
