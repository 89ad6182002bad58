/**
 * Refusals of the OIDC provider by their OAuth names (RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1; OpenID Connect Core §3.1.2.6).
 *
 * @module
 */

import { VaultError } from "../../errors.ts";

/** What an application can tell apart. */
export type OAuthErrorCode =
  | "access_denied"
  | "invalid_client"
  | "invalid_client_id"
  | "invalid_grant"
  | "invalid_redirect_uri"
  | "invalid_request"
  | "invalid_scope"
  | "invalid_token"
  | "max_age_violation"
  | "request_not_supported"
  | "request_uri_not_supported"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "unsupported_response_type";

/** A refusal that an application gets as `error` and `error_description`. */
export function oauthError(code: OAuthErrorCode, description: string): VaultError {
  return new VaultError("invalid_argument", description, { data: { oauth: code } });
}

/** The OAuth name of a failure; undefined for what has none, such as a broken store. */
export function oauthCodeOf(thrown: unknown): OAuthErrorCode | undefined {
  const code = thrown instanceof VaultError ? thrown.data["oauth"] : undefined;
  return typeof code === "string" ? code as OAuthErrorCode : undefined;
}
