/**
 * Hashing passwords by a native library, in the runtime's own threads: six times as fast as WebAssembly in threads of ours.
 *
 * @module
 */

import type { VaultError } from "../errors.ts";
import type { RandomSource } from "../ports.ts";
import { ARGON2, bcryptCost } from "./password_hash.ts";
import { MAX_WAITING, type PasswordHasher, SALT_BYTES, stopping, tooMany, uncheckable } from "./password_pool.ts";

/** Argon2id off the event loop, with the costs of `ARGON2`. */
export interface NativeArgon2 {
  /** A hash in PHC form. */
  hash(password: string, salt: Uint8Array): Promise<string>;
  /** Whether a password fits a hash in PHC form, by the costs that stand in it. */
  verify(password: string, hash: string): Promise<boolean>;
}

/** What this program uses of `@node-rs/argon2`. */
export interface Argon2Library {
  hash(password: string, options: Readonly<Record<string, unknown>>): Promise<string>;
  verify(hash: string, password: string): Promise<boolean>;
}

/** The library's number of Argon2id. */
const ARGON2ID = 2;

/** The library as we use it. */
export function argon2Of(library: Argon2Library): NativeArgon2 {
  const { iterations: timeCost, memorySize: memoryCost, parallelism, hashLength: outputLen } = ARGON2;
  const options = { algorithm: ARGON2ID, timeCost, memoryCost, parallelism, outputLen };
  return {
    hash: (password, salt) => library.hash(password, { ...options, salt }),
    verify: (password, hash) => library.verify(hash, password),
  };
}

/** What native hashing needs. */
export interface NativePasswordParts {
  readonly native: NativeArgon2;
  /** Verifies the hashes that the library doesn't know. */
  readonly others: PasswordHasher;
  readonly random: RandomSource;
  /** Hashes at the same time, at most. */
  readonly size: number;
}

/** Lets so many hash at a time, and the others wait. */
export class NativePasswords implements PasswordHasher {
  readonly #in: NativePasswordParts;
  readonly #waiting: { resolve(): void; reject(error: VaultError): void }[] = [];
  #running = 0;
  #isClosed = false;

  constructor(parts: NativePasswordParts) {
    this.#in = parts;
  }

  hash(password: string): Promise<string> {
    return this.#inTurn(({ native, random }) => native.hash(password, random.bytes(SALT_BYTES)));
  }

  verify(password: string, hash: string): Promise<boolean> {
    if (bcryptCost(hash) !== undefined) return this.#in.others.verify(password, hash);
    return this.#inTurn(({ native }) => native.verify(password, hash));
  }

  close(): void {
    this.#isClosed = true;
    this.#in.others.close();
    for (const one of this.#waiting.splice(0)) one.reject(stopping());
  }

  async #inTurn<T>(work: (parts: NativePasswordParts) => Promise<T>): Promise<T> {
    await this.#turn();
    try {
      return await work(this.#in);
    } catch {
      // What the library says may quote what it was asked.
      throw uncheckable();
    } finally {
      this.#running--;
      this.#waiting.shift()?.resolve();
    }
  }

  async #turn(): Promise<void> {
    if (this.#isClosed) throw stopping();
    if (this.#waiting.length >= MAX_WAITING) throw tooMany();
    if (this.#running + this.#waiting.length >= this.#in.size) {
      await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    this.#running++;
  }
}
