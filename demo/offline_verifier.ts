/**
 * A service that checks identity tokens by itself, and knows within a second of those that were revoked.
 *
 * It asks the vault for two things that are open to everybody: the public keys, and the feed of revocations. No request
 * waits for the vault. Where the vault can't be reached for longer than `maxSilenceMs`, every token is refused: nobody
 * could tell a revoked one any more.
 *
 * @module
 */

import { createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";

/** What a service knows of its vault. */
export interface VerifierOptions {
  /** As tokens name it: `https://vault.example:8200/v1/identity/oidc`. */
  readonly issuer: string;
  /** The client id of the role that the tokens are for. */
  readonly audience: string;
  /** Where keys and feed are fetched; the issuer where absent. */
  readonly address?: string;
  /** How long the vault may be out of reach; 60 s where absent. */
  readonly maxSilenceMs?: number;
}

interface Revocation {
  readonly sub?: string;
  readonly min_ep?: number;
  readonly sid?: string;
}

/** Verifies tokens. Dispose of it when done. */
export class OfflineVerifier implements Disposable {
  readonly #options: VerifierOptions;
  readonly #address: string;
  readonly #keys: ReturnType<typeof createRemoteJWKSet>;
  readonly #stop = new AbortController();
  #minEpoch = new Map<string, number>();
  #endedSessions = new Set<string>();
  #etag = "";
  #heardAt = -Infinity;

  private constructor(options: VerifierOptions) {
    this.#options = options;
    this.#address = options.address ?? options.issuer;
    this.#keys = createRemoteJWKSet(new URL(`${this.#address}/.well-known/keys`));
  }

  /** Reads the feed once, then follows it. */
  static async start(options: VerifierOptions): Promise<OfflineVerifier> {
    const verifier = new OfflineVerifier(options);
    await verifier.#fetch("0s");
    void verifier.#follow();
    return verifier;
  }

  /** The claims of a token; throws for one that doesn't count. */
  async verify(token: string): Promise<JWTPayload> {
    const { issuer, audience, maxSilenceMs = 60_000 } = this.#options;
    const { payload } = await jwtVerify(token, this.#keys, { issuer, audience });
    if (performance.now() - this.#heardAt > maxSilenceMs) throw new Error("the vault is out of reach");
    const isOver = Number(payload["ep"]) < (this.#minEpoch.get(payload.sub!) ?? 0);
    if (isOver || this.#endedSessions.has(String(payload["sid"]))) throw new Error("the token was revoked");
    return payload;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const pauseMs = await this.#fetch("30s").catch(() => 1000);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Waits for a change, takes the whole feed, and returns how long to pause before the next question. */
  async #fetch(wait: string): Promise<number> {
    const headers = { "if-none-match": this.#etag };
    const answer = await fetch(`${this.#address}/revoked?wait=${wait}`, { headers, signal: this.#stop.signal });
    if (answer.status !== 200 && answer.status !== 304) throw new Error(`the feed answered ${answer.status}`);
    if (answer.status === 200) this.#take((await answer.json()).revocations);
    else await answer.body?.cancel();
    this.#etag = answer.headers.get("etag")!;
    this.#heardAt = performance.now();
    return Number(answer.headers.get("retry-after") ?? 0) * 1000;
  }

  /** The feed is always whole: what stands in it no more has expired, or counts again. */
  #take(revocations: readonly Revocation[]): void {
    this.#minEpoch = new Map();
    this.#endedSessions = new Set();
    for (const { sub, min_ep = 0, sid } of revocations) {
      if (sid !== undefined) this.#endedSessions.add(sid);
      if (sub !== undefined) this.#minEpoch.set(sub, Math.max(min_ep, this.#minEpoch.get(sub) ?? 0));
    }
  }
}
