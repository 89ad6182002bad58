/**
 * Proof Key for Code Exchange (RFC 7636): whoever exchanges a code is who asked for it.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { oauthError } from "./oauth_error.ts";

/** §4.1 and §4.2: a verifier, and a challenge, are 43 to 128 unreserved characters. */
const FORM = /^[A-Za-z0-9._~-]{43,128}$/;

/** What was promised when the code was asked for. */
export interface CodeChallenge {
  readonly challenge: string;
  readonly method: "S256" | "plain";
}

/**
 * Reads the challenge of a request for a code.
 *
 * @returns undefined where none was sent.
 * @throws {VaultError} `invalid_request`.
 */
export function codeChallengeOf(challenge: string | undefined, method: string | undefined): CodeChallenge | undefined {
  if (challenge === undefined) {
    if (method === undefined) return undefined;
    throw oauthError("invalid_request", "code_challenge_method was sent without a code_challenge");
  }
  if (!FORM.test(challenge)) throw oauthError("invalid_request", "invalid code_challenge");
  if (method === undefined || method === "plain") return { challenge, method: "plain" };
  if (method === "S256") return { challenge, method };
  throw oauthError("invalid_request", "invalid code_challenge_method: it must be S256 or plain");
}

/**
 * Checks the verifier of an exchange.
 *
 * @throws {VaultError} `invalid_grant`, also for a verifier where no challenge was sent: somebody took it out of the
 *   request on its way (RFC 9700 §4.8.2).
 */
export function assertVerifier(promised: CodeChallenge | undefined, verifier: string | undefined): void {
  if (promised === undefined && verifier === undefined) return;
  if (promised === undefined) {
    throw oauthError("invalid_grant", "unexpected code_verifier for the given authorization code");
  }
  if (verifier === undefined) {
    throw oauthError("invalid_grant", "expected code_verifier for the given authorization code");
  }
  if (!FORM.test(verifier)) throw oauthError("invalid_grant", "invalid code_verifier");
  const hashed = createHash("sha256").update(verifier, "ascii");
  const answer = promised.method === "S256" ? hashed.digest("base64url") : verifier;
  if (!timingSafeEqual(digest(answer), digest(promised.challenge))) {
    throw oauthError("invalid_grant", "invalid code_verifier for the given authorization code");
  }
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text, "ascii").digest();
}
