/**
 * Opening, sealing and re-sealing batches of metadata envelopes for callers that were already let in.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";
import type { Logger, RandomSource } from "../ports.ts";
import { Slices, Turns } from "../slices.ts";
import type { User, VaultState } from "../state.ts";
import type { AgentKeys } from "./agent_keys.ts";
import { type Envelope, openEnvelope, parseEnvelope, sealEnvelope } from "./envelope.ts";
import type { TeamSecrets } from "./team_secrets.ts";

/** What happens with version-1 envelopes: they open, open with a warning in the log, or don't. */
export type EnvelopeV1Policy = "accept" | "warn" | "refuse";

/** Whose envelopes a caller may open. */
export interface OpenRight {
  readonly user: User;
  /** Only those that this user sealed, with any of their tokens. */
  readonly ownOnly: boolean;
}

/** What the service is made of. */
export interface EnvelopeParts {
  readonly state: VaultState;
  readonly secrets: TeamSecrets;
  readonly keys: AgentKeys;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly v1Policy: EnvelopeV1Policy;
}

/** Works on batches in slices; one bad item fails its whole batch and is named by its index. */
export class EnvelopeService {
  readonly #in: EnvelopeParts;
  readonly #turns = new Turns();

  constructor(parts: EnvelopeParts) {
    this.#in = parts;
  }

  /**
   * Opens envelopes, in order; the plaintexts are UTF-8.
   *
   * @throws {VaultError} `ciphertext_invalid` or `scope_denied` with `data.index`; `cancelled`.
   */
  async open(texts: readonly string[], right: OpenRight, signal?: AbortSignal): Promise<Buffer[]> {
    let version1 = 0;
    try {
      return await this.#each(texts, signal, (text) => {
        const envelope = parseEnvelope(text);
        this.#assertMayOpen(envelope, right);
        if (envelope.version === 1) version1++;
        return this.#withKey(envelope, (key) => openEnvelope(envelope, key));
      });
    } finally {
      // Once a batch: a line an envelope would let a caller fill the log.
      if (version1 > 0 && this.#in.v1Policy === "warn") {
        this.#in.logger.log("warn", "envelope_v1_opened", { user: right.user.record.name, envelopes: version1 });
      }
    }
  }

  /** Seals plaintexts under one agent's own key at the newest version; `cancelled`. */
  seal(plaintexts: readonly string[], agentId: string, signal?: AbortSignal): Promise<string[]> {
    return this.#each(plaintexts, signal, (plaintext) => this.#sealFor(agentId, plaintext, false));
  }

  /**
   * Seals envelopes anew, each for its own author, under the newest version of the team secret. What was a version-1
   * envelope stays marked as such: nobody ever proved who wrote it.
   *
   * @throws {VaultError} `ciphertext_invalid` with `data.index`; `cancelled`.
   */
  rewrap(texts: readonly string[], signal?: AbortSignal): Promise<string[]> {
    return this.#each(texts, signal, async (text) => {
      const envelope = parseEnvelope(text);
      const plaintext = await this.#withKey(envelope, (key) => openEnvelope(envelope, key));
      const fromV1 = envelope.version === 1 || envelope.fromV1;
      return this.#sealFor(envelope.agentId, plaintext, fromV1);
    });
  }

  #assertMayOpen(envelope: Envelope, { user, ownOnly }: OpenRight): void {
    if (ownOnly && this.#in.state.tokens.get(envelope.agentId)?.user !== user) {
      throw new VaultError("scope_denied", "The envelope is another user's");
    }
    if (envelope.version === 1 && this.#in.v1Policy === "refuse") {
      throw new VaultError("ciphertext_invalid", "Version-1 envelopes are refused here; have them re-sealed");
    }
  }

  #sealFor(agentId: string, plaintext: string | Uint8Array, fromV1: boolean): string | Promise<string> {
    const keyVersion = this.#in.secrets.newest;
    const author = { agentId, keyVersion, fromV1 };
    return this.#key(agentId, keyVersion, 2, (key) => sealEnvelope(plaintext, author, key, this.#in.random));
  }

  #withKey<T>(envelope: Envelope, use: (key: Buffer) => T): T | Promise<T> {
    const keyVersion = this.#secretVersionOf(envelope);
    const state = this.#in.secrets.find(keyVersion)?.state;
    if (state === undefined || state === "retired") {
      throw new VaultError("ciphertext_invalid", `Team-secret version ${keyVersion} opens nothing here`);
    }
    return this.#key(envelope.agentId, keyVersion, envelope.version, use);
  }

  /** A version-1 envelope names no key version: it is the one under which its author's token was issued. */
  #secretVersionOf(envelope: Envelope): number {
    if (envelope.version === 2) return envelope.keyVersion;
    return this.#in.state.tokens.get(envelope.agentId)?.record.secretVersion ?? 1;
  }

  #key<T>(agentId: string, keyVersion: number, envelope: 1 | 2, use: (key: Buffer) => T): T | Promise<T> {
    const cached = this.#in.keys.cached(agentId, keyVersion, envelope);
    if (cached !== undefined) return use(cached);
    return this.#in.keys.derive(agentId, keyVersion, envelope, this.#in.state.tokens.has(agentId)).then(use);
  }

  async #each<T>(
    texts: readonly string[],
    signal: AbortSignal | undefined,
    work: (text: string) => T | Promise<T>,
  ): Promise<T[]> {
    const slices = new Slices(signal, this.#turns);
    const results: T[] = [];
    for (const [index, text] of texts.entries()) {
      try {
        const result = work(text);
        // Awaiting only what is really pending keeps a batch of cached keys free of microtask turns.
        results.push(result instanceof Promise ? await result : result);
      } catch (error) {
        throw withIndex(error, index);
      }
      if (slices.spent) await slices.rest();
    }
    return results;
  }
}

function withIndex(error: unknown, index: number): unknown {
  if (!(error instanceof VaultError)) return error;
  const { kind, message, data, cause } = error;
  return new VaultError(kind, `Item ${index}: ${message}`, { data: { ...data, index }, cause });
}
