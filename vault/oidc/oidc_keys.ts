/**
 * Named signing keys: each has one pair that signs and one, published already, that will sign next. What verifiers fetch
 * today therefore holds the key of tomorrow.
 *
 * @module
 */

import { DueQueue } from "../due_queue.ts";
import { DueTimer } from "../due_timer.ts";
import { VaultError } from "../errors.ts";
import { newUuid } from "../ids.ts";
import type { SealKey } from "../keys/seal_key.ts";
import type { OidcKeyPair, OidcKeyRecord, SigningAlgorithm } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import { makeKeyPair, type Signer, signerOf } from "./algorithms.ts";
import type { NativeJwt } from "./native_jwt.ts";
import {
  algorithmOf,
  assertPeriods,
  momentsOf,
  type OidcKeyInput,
  rotatedKey,
  updatedKey,
} from "./oidc_key_records.ts";

/** The key that is there without anybody making it. */
export const DEFAULT_KEY = "default";
const LONGEST_WAIT_MS = 60_000;

/** What keys need. */
export interface OidcSurroundings extends Surroundings {
  readonly sealKey: SealKey;
  /** Native code that signs faster than the runtime; undefined: the runtime signs. */
  readonly nativeJwt?: NativeJwt | undefined;
}

/** Everything that is done to keys. */
export class OidcKeys {
  readonly #in: OidcSurroundings;
  readonly #signers = new Map<string, Promise<Signer>>();
  readonly #due = new DueQueue();
  readonly #making = new Map<string, Promise<void>>();
  readonly #timer: DueTimer;
  #stamp = 0;

  constructor(surroundings: OidcSurroundings) {
    this.#in = surroundings;
    this.#timer = new DueTimer(surroundings.clock, () => this.#due.next, LONGEST_WAIT_MS);
    surroundings.state.watch("oidc_key", (after, before) => {
      this.#stamp++;
      for (const { kid } of before?.retired ?? []) this.#signers.delete(kid);
      if (after === undefined && before !== undefined) this.#signers.delete(before.signing.kid);
      if (after !== undefined) { for (const at of momentsOf(after)) this.#due.add(at, after.name); }
    });
  }

  /** Grows with every change of any key. */
  get stamp(): number {
    return this.#stamp;
  }

  /** A key by its name. */
  get(name: string): OidcKeyRecord | undefined {
    return this.#in.state.table("oidc_key").get(name);
  }

  /** The names of all keys, `default` among them. */
  list(): string[] {
    return [...new Set([DEFAULT_KEY, ...this.#in.state.table("oidc_key").keys()])].sort();
  }

  /** {@link get}, but `default` is made when it is first asked for. */
  async needed(name: string): Promise<OidcKeyRecord | undefined> {
    if (name === DEFAULT_KEY && this.get(name) === undefined) {
      const making = this.#making.get(name) ?? this.put(name, { allowedClientIds: ["*"] }).then(() => {});
      this.#making.set(name, making);
      await making.finally(() => this.#making.delete(name));
    }
    return this.get(name);
  }

  /**
   * Makes a key, or changes what is given of one.
   *
   * @returns Whether it is new.
   * @throws {VaultError} `invalid_argument`.
   */
  async put(name: string, input: OidcKeyInput): Promise<{ isNew: boolean }> {
    const algorithm = algorithmOf(input.algorithm);
    const before = this.get(name);
    const wanted = algorithm ?? before?.algorithm ?? "RS256";
    const pairs = before?.algorithm === wanted
      ? null
      : [await this.#newPair(wanted), await this.#newPair(wanted)] as const;
    return await this.#in.writer.change(() => {
      const now = this.get(name);
      if (now?.algorithm !== before?.algorithm) {
        throw new VaultError("precondition_failed", `key ${name} was changed meanwhile`);
      }
      const record = updatedKey(now, { name, input, algorithm: wanted, pairs }, this.#in.clock.now());
      assertPeriods(record, this.#in.state.table("oidc_role").values());
      return { writes: [put(record)], result: () => ({ isNew: now === undefined }) };
    });
  }

  /**
   * Has the next pair sign from now on.
   *
   * @param verificationTtl How long the retired one still verifies, in seconds; absent: the key's.
   * @throws {VaultError} `invalid_argument` where there is no such key.
   */
  async rotate(name: string, verificationTtl?: number): Promise<void> {
    const before = await this.needed(name);
    if (before === undefined) throw new VaultError("invalid_argument", `no named key found at ${JSON.stringify(name)}`);
    const fresh = await this.#newPair(before.algorithm);
    await this.#in.writer.change(() => {
      const now = this.get(name);
      // Rotated or changed meanwhile: then what was wanted has happened.
      if (now === undefined || now.signing.kid !== before.signing.kid) return { writes: [], result: () => {} };
      const record = rotatedKey(now, fresh, verificationTtl ?? now.verificationTtl, this.#in.clock.now());
      return { writes: [put(record)], result: () => {} };
    });
  }

  /**
   * Deletes a key; absent: nothing.
   *
   * @throws {VaultError} `invalid_argument` for one that roles or clients name, and for `default`.
   */
  delete(name: string): Promise<void> {
    return this.#in.writer.change(() => {
      if (name === DEFAULT_KEY) throw new VaultError("invalid_argument", `deletion of key "default" not allowed`);
      if (this.get(name) === undefined) return { writes: [], result: () => {} };
      const users = this.#usersOf(name);
      if (users.length > 0) {
        const list = users.join(", ");
        throw new VaultError(
          "invalid_argument",
          `unable to delete key ${JSON.stringify(name)} because it is currently referenced by these roles: ${list}`,
        );
      }
      return { writes: [{ kind: "oidc_key", key: name }], result: () => {} };
    });
  }

  /** The pair that signs now, ready to. */
  async signer({ algorithm, signing }: OidcKeyRecord): Promise<Signer> {
    const known = this.#signers.get(signing.kid);
    if (known !== undefined) return await known;
    const opened = this.#in.sealKey.open(identityOf(signing.kid), signing.sealed!);
    const made = signerOf(algorithm, signing.kid, new Uint8Array(opened), this.#in.nativeJwt);
    this.#signers.set(signing.kid, made);
    made.catch(() => this.#signers.delete(signing.kid));
    return await made;
  }

  /** The pairs of a key that verify now. */
  verifying(record: OidcKeyRecord): OidcKeyPair[] {
    const now = this.#in.clock.now();
    return [record.signing, record.next, ...record.retired.filter((pair) => pair.expiresAt! > now)];
  }

  /** A pair that verifies now, by its id. */
  findPair(kid: string): { pair: OidcKeyPair; record: OidcKeyRecord } | undefined {
    for (const record of this.#in.state.table("oidc_key").values()) {
      const pair = this.verifying(record).find((one) => one.kid === kid);
      if (pair !== undefined) return { pair, record };
    }
    return undefined;
  }

  /** Rotates keys when they are due and forgets pairs that have expired, until {@link close}. */
  start(mayCommit: () => boolean, onFailure: (error: unknown) => void): void {
    this.#timer.start({ run: () => this.sweep(), mayCommit, onFailure });
  }

  /** Does what is due now. A key that can't be changed is tried again later, and holds up no other. */
  async sweep(): Promise<void> {
    const failures: unknown[] = [];
    for (const name of new Set(this.#due.take(this.#in.clock.now(), Infinity))) {
      try {
        await this.#perform(name);
      } catch (error) {
        this.#due.add(this.#in.clock.now() + LONGEST_WAIT_MS, name);
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Stops rotating. */
  close(): void {
    this.#timer.close();
  }

  async #perform(name: string): Promise<void> {
    const now = this.#in.clock.now();
    const record = this.get(name);
    if (record === undefined) return;
    if (record.rotatesAt <= now) await this.rotate(name);
    await this.#in.writer.change(() => {
      const current = this.get(name);
      const retired = current?.retired.filter((pair) => pair.expiresAt! > now) ?? [];
      if (current === undefined || retired.length === current.retired.length) return { writes: [], result: () => {} };
      return { writes: [put({ ...current, retired })], result: () => {} };
    });
  }

  async #newPair(algorithm: SigningAlgorithm): Promise<OidcKeyPair> {
    const { publicJwk, privateKey } = await makeKeyPair(algorithm);
    const kid = newUuid(this.#in.random);
    const sealed = this.#in.sealKey.seal(identityOf(kid), privateKey);
    privateKey.fill(0);
    return { kid, publicJwk, sealed, createdAt: this.#in.clock.now() };
  }

  #usersOf(name: string): string[] {
    const roles = [...this.#in.state.table("oidc_role").values()].filter((role) => role.key === name);
    const clients = [...this.#in.state.table("oidc_client").values()].filter((client) => client.key === name);
    return [...roles.map((role) => role.name), ...clients.map((client) => `client ${client.name}`)].sort();
  }
}

function put(record: OidcKeyRecord): Write {
  return { kind: "oidc_key", key: record.name, value: record };
}

function identityOf(kid: string): string {
  return `oidc_key/${kid}`;
}
