/**
 * Opening, sealing and re-sealing batches of metadata envelopes for callers that were already let in.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { OpenedAgents } from "../audit/opened_agents.ts";
import { VaultError } from "../errors.ts";
import type { Logger, RandomSource } from "../ports.ts";
import { Slices, Turns } from "../slices.ts";
import type { User, VaultState } from "../state.ts";
import type { Caller } from "../tokens/authenticator.ts";
import type { AgentKeys } from "./agent_keys.ts";
import { eachItem } from "./batch.ts";
import { type EnvelopeHead, openEnvelope, parseEnvelope, sealEnvelope } from "./envelope.ts";
import type { TeamSecrets } from "./team_secrets.ts";

/** What happens with version-1 envelopes: they open, open with a warning in the log, or don't. */
export type EnvelopeV1Policy = "accept" | "warn" | "refuse";

/** Whose envelopes a caller may open. */
export interface OpenRight {
  readonly user: User;
  /** Only those that this user sealed, with any of their tokens. */
  readonly ownOnly: boolean;
  /** None whose author was cut off; absent: those too. */
  readonly refusesCutOff?: boolean;
  /** Told whose envelopes were asked for. */
  readonly opened?: OpenedAgents;
}

/** What a caller's role lets them open. One object a batch. */
export function openRightOf({ user, role }: Caller): OpenRight {
  return {
    user,
    ownOnly: !role.scope.includes("decrypt_metadata"),
    refusesCutOff: role.cutoffEnvelopes === "refuse",
  };
}

/** The key that seals for an agent, and its version. */
export interface SealingKey {
  readonly keyVersion: number;
  readonly key: Buffer;
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
  /** Entity ids of authors who were cut off, by the batch that they stand in. */
  readonly #cutOffAuthors = new WeakMap<OpenRight, Set<string>>();

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
        right.opened?.note(envelope.agentId, 1);
        const key = this.keyFor(envelope, right);
        if (envelope.version === 1) version1++;
        return key instanceof Promise ? key.then((it) => openEnvelope(envelope, it)) : openEnvelope(envelope, key);
      });
    } finally {
      this.noteOpened(right, version1);
    }
  }

  /**
   * The key of one envelope, for a caller who may open it. Every envelope is asked for here, wherever it is decrypted.
   *
   * @throws {VaultError} `ciphertext_invalid` or `scope_denied`.
   */
  keyFor(envelope: EnvelopeHead, right: OpenRight): Buffer | Promise<Buffer> {
    this.#assertMayOpen(envelope, right);
    return this.#openingKey(envelope);
  }

  /**
   * Tells of what wants an operator's eye: version-1 envelopes, where they want to know, and those whose author was cut
   * off. Once a batch: a line an envelope would fill the log.
   */
  noteOpened(right: OpenRight, version1: number): void {
    const user = right.user.record.name;
    if (version1 > 0 && this.#in.v1Policy === "warn") {
      this.#in.logger.log("warn", "envelope_v1_opened", { user, envelopes: version1 });
    }
    const authors = this.#cutOffAuthors.get(right);
    if (authors !== undefined) this.#in.logger.log("warn", "cut_off_envelopes_opened", { user, authors: [...authors] });
  }

  /** The key under which an agent's envelopes are sealed at present. */
  async sealingKey(agentId: string): Promise<SealingKey> {
    const keyVersion = this.#in.secrets.newest;
    return { keyVersion, key: await this.#key(agentId, keyVersion, 2) };
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
      const plaintext = openEnvelope(envelope, await this.#openingKey(envelope));
      const fromV1 = envelope.version === 1 || envelope.fromV1;
      return this.#sealFor(envelope.agentId, plaintext, fromV1);
    });
  }

  #assertMayOpen(envelope: EnvelopeHead, right: OpenRight): void {
    const author = this.#in.state.tokens.get(envelope.agentId)?.user;
    if (right.ownOnly && author?.row !== right.user.row) {
      throw new VaultError("scope_denied", "The envelope is another user's");
    }
    if (author?.record.cutOff !== undefined) this.#meetCutOff(author, right);
    if (envelope.version === 1 && this.#in.v1Policy === "refuse") {
      throw new VaultError("ciphertext_invalid", "Version-1 envelopes are refused here; have them re-sealed");
    }
  }

  /** Envelopes of a user who was cut off are refused to some, and told of to all (S16). */
  #meetCutOff({ record }: User, right: OpenRight): void {
    if (right.refusesCutOff) {
      throw new VaultError("scope_denied", "The envelope's author was cut off, and the role refuses such envelopes");
    }
    const authors = this.#cutOffAuthors.get(right) ?? new Set();
    this.#cutOffAuthors.set(right, authors.add(record.entityId));
    right.opened?.noteCutOff(record.entityId);
  }

  #sealFor(agentId: string, plaintext: string | Uint8Array, fromV1: boolean): string | Promise<string> {
    const keyVersion = this.#in.secrets.newest;
    const author = { agentId, keyVersion, fromV1 };
    const key = this.#key(agentId, keyVersion, 2);
    const seal = (it: Buffer) => sealEnvelope(plaintext, author, it, this.#in.random);
    return key instanceof Promise ? key.then(seal) : seal(key);
  }

  #openingKey(envelope: EnvelopeHead): Buffer | Promise<Buffer> {
    const keyVersion = this.#secretVersionOf(envelope);
    const state = this.#in.secrets.find(keyVersion)?.state;
    if (state === undefined || state === "retired") {
      throw new VaultError("ciphertext_invalid", `Team-secret version ${keyVersion} opens nothing here`);
    }
    return this.#key(envelope.agentId, keyVersion, envelope.version);
  }

  /** A version-1 envelope names no key version: it is the one under which its author's token was issued. */
  #secretVersionOf(envelope: EnvelopeHead): number {
    if (envelope.version === 2) return envelope.keyVersion;
    return this.#in.state.tokens.get(envelope.agentId)?.record.secretVersion ?? 1;
  }

  #key(agentId: string, keyVersion: number, envelope: 1 | 2): Buffer | Promise<Buffer> {
    const { keys, state } = this.#in;
    return keys.cached(agentId, keyVersion, envelope) ??
      keys.derive(agentId, keyVersion, envelope, state.tokens.has(agentId));
  }

  #each<T>(
    texts: readonly string[],
    signal: AbortSignal | undefined,
    work: (text: string) => T | Promise<T>,
  ): Promise<T[]> {
    return eachItem(texts, new Slices(signal, this.#turns), work);
  }
}
