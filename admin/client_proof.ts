/**
 * The client's side of the proof: the admin token leaves this process only towards somebody who has it already.
 *
 * While the vault is away any local user can sit on its port. Such a process is asked for an HMAC under the token's
 * digest over a fresh nonce and the port; it cannot answer, and cannot have the vault answer for it on another port.
 * Not excluded: that the vault ends and somebody takes its port in the moment between the proof and the request.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import { adminTokenId, digestAdminToken, isProof } from "./admin_token.ts";
import { folderToken } from "./client_token.ts";
import { readBounded } from "./client_read.ts";
import { type AdminTarget, showTarget } from "./client_target.ts";

const MAX_PROOF_BYTES = 4096;

/** Holds the admin token back until the other side has proven that it has it. */
export class AdminProof {
  readonly #token: string;
  readonly #digest: Uint8Array;
  readonly #target: AdminTarget & { kind: "tcp" };

  constructor(token: string, target: AdminTarget & { kind: "tcp" }) {
    this.#token = token;
    this.#digest = digestAdminToken(token);
    this.#target = target;
  }

  /**
   * Takes the token in `<data>/admin.token`.
   *
   * @throws {VaultError} `token_invalid` when there is none that this user may read.
   */
  static async load(dataDir: string, target: AdminTarget & { kind: "tcp" }): Promise<AdminProof> {
    const token = await folderToken(dataDir);
    if (token !== undefined) return new AdminProof(token, target);
    throw new VaultError("token_invalid", `${dataDir}/admin.token can't be read, or holds no admin token`, {
      hint: "run this as the user that the server runs as, give its --data-dir, or set RUNEVAULT_OPERATOR_TOKEN_FILE",
    });
  }

  /**
   * Has the other side prove itself and returns the `Authorization` header for it.
   *
   * @throws {VaultError} `unreachable` when it can't.
   */
  async authorization(client: Deno.HttpClient, signal: AbortSignal): Promise<string> {
    const nonce = freshNonce();
    const given = await this.#askProof(client, nonce, signal);
    if (isProof(given, this.#digest, nonce, this.#target.port)) return `Bearer ${this.#token}`;
    throw new VaultError("unreachable", `The process on ${showTarget(this.#target)} is not this vault's server`, {
      hint: "the admin token was not sent; give the --data-dir of the vault that listens there",
    });
  }

  async #askProof(client: Deno.HttpClient, nonce: string, signal: AbortSignal): Promise<string> {
    const url = `http://${showTarget(this.#target)}/proof?nonce=${nonce}&id=${adminTokenId(this.#digest)}`;
    try {
      const answer = await fetch(url, { client, signal, redirect: "error" });
      return proofIn(await readBounded(answer, MAX_PROOF_BYTES));
    } catch (cause) {
      throw new VaultError("unreachable", `${showTarget(this.#target)} did not prove that it is the server`, {
        hint: "the admin token was not sent; is another program on that port?",
        cause,
      });
    }
  }
}

/** 32 random bytes as hex: a length that no answer for another port can be read as. */
function freshNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The proof in an answer; an empty text, which proves nothing, where the answer has another form. */
function proofIn(text: string): string {
  const body: unknown = JSON.parse(text);
  if (typeof body !== "object" || body === null || !("proof" in body)) return "";
  return typeof body.proof === "string" ? body.proof : "";
}
