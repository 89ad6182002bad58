/**
 * `/status`, and `/proof`: by which a client makes sure who listens before it sends the admin token.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import type { Operators } from "../../vault/operators/operators.ts";
import { isNonce, proofKeyFor, proveAdminToken } from "../admin_token.ts";
import type { ProcessFacts } from "../ports.ts";
import type { AdminContext, AdminRoute } from "../route.ts";

/** What answers for proofs. */
export interface ProofKeys {
  /** SHA-256 of `<data>/admin.token`. */
  readonly rootDigest: Uint8Array;
  readonly operators: Pick<Operators, "digestById">;
  /** Random and of this process; answers for ids that are nobody's. */
  readonly decoyKey: Uint8Array;
}

const ID_FORM = /^[0-9a-f]{16}$/;

/** The routes about the process itself. */
export function statusRoutes(facts: ProcessFacts, keys: ProofKeys): readonly AdminRoute[] {
  return [
    { method: "GET", path: "/status", handle: (c) => c.json(facts.status()) },
    { method: "GET", path: "/proof", open: true, handle: (c) => prove(c, keys) },
  ];
}

/**
 * Shows that this process holds the admin token, for this port only: the port in the proof keeps a process on another
 * port from passing the question on to us.
 */
function prove(c: AdminContext, keys: ProofKeys): Response {
  const { door } = c.env;
  if (door.kind === "unix") throw new VaultError("not_found", "A unix socket has no port to prove");
  const nonce = c.req.query("nonce") ?? "";
  const id = c.req.query("id") ?? "";
  if (!isNonce(nonce)) {
    throw new VaultError("invalid_argument", "The nonce has another form", {
      hint: "send 16 to 128 letters, digits, '_' or '-', a multiple of 8 of them",
    });
  }
  if (!ID_FORM.test(id)) {
    throw new VaultError("invalid_argument", "The id has another form", {
      hint: "send the first 16 hex digits of SHA-256(token)",
    });
  }
  const digest = keys.operators.digestById(id) ?? keys.rootDigest;
  return c.json({ proof: proveAdminToken(proofKeyFor(id, digest, keys.decoyKey), nonce, door.port) });
}
