/**
 * The vault's FHE key sets: one that bundles hand out, and those before it, which go on decrypting.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { PublicKeyFiles } from "../keys/key_bundle.ts";
import type { SealKey } from "../keys/seal_key.ts";
import type { Clock, Logger } from "../ports.ts";
import {
  assertKeyId,
  DEFAULT_DIMENSION,
  DEFAULT_KEY_ID,
  generateKeySetInThread,
  inspectKeySetInThread,
  type KeyProgress,
  type KeySetFacts,
  type KeySetFiles,
  readSecretKeyFile,
  type ScoreDecryptor,
  type ScoreKey,
  type ScoreRow,
  ScoreWorkers,
} from "../scores/mod.ts";
import type { VaultState } from "../state.ts";
import type { FheKeyRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import { KeyFolders } from "./key_folder.ts";

/** What the ring is made of. */
export interface KeyRingParts {
  readonly state: VaultState;
  readonly writer: Writer;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `<data>/keys`. */
  readonly folder: string;
  /** Dimension of indexes under a key set that came without an evaluation key. */
  readonly fallbackDimension: number | undefined;
  /** Threads that decrypt, at most. */
  readonly threads: number;
}

/** A key set read from its folder. */
interface Loaded {
  readonly files: KeySetFiles;
  readonly scoreKey: ScoreKey;
}

/** Everything an operator does with FHE keys, and the decryption under them. */
export class KeyRing implements ScoreDecryptor {
  readonly #in: KeyRingParts;
  readonly #folders: KeyFolders;
  readonly #workers: ScoreWorkers;
  readonly #loaded = new Map<string, ScoreKey>();
  #publicFiles: PublicKeyFiles | null = null;

  constructor(parts: KeyRingParts) {
    this.#in = parts;
    this.#folders = new KeyFolders(parts.folder, parts.sealKey);
    this.#workers = new ScoreWorkers({ keys: [], threads: parts.threads });
  }

  /**
   * Reads every key set that the store knows.
   *
   * @throws {VaultError} `config_invalid` for a key set whose files are missing or changed.
   */
  async load(): Promise<void> {
    for (const record of this.#in.state.fheKeys.values()) this.#takeUp(record, await this.#read(record));
    this.#workers.setKeys(this.#scoreKeys());
  }

  /** All key sets, the newest first. */
  list(): FheKeyRecord[] {
    return [...this.#in.state.fheKeys.values()].sort((a, b) => b.addedAt - a.addedAt);
  }

  /** One key set; `not_found`. */
  show(keyId: string): FheKeyRecord {
    const record = this.#in.state.fheKeys.get(keyId);
    if (record !== undefined) return record;
    throw new VaultError("not_found", `No key set ${JSON.stringify(keyId.slice(0, 80))}`, {
      hint: "see `runevault keys show`",
    });
  }

  /** The key set that bundles hand out, or null. */
  get active(): FheKeyRecord | null {
    return this.list().find((record) => record.active) ?? null;
  }

  /** The texts that bundles hand out. */
  get publicFiles(): PublicKeyFiles | null {
    return this.#publicFiles;
  }

  /**
   * Makes a key set and puts it in force; the one before it goes on decrypting.
   *
   * @param wanted.keyId Absent: `vault-key`, then `vault-key-2` and so on.
   * @throws {VaultError} `invalid_argument`, `already_exists`, `storage_failed`, `cancelled`.
   */
  async generate(
    wanted: { dimension: number; keyId?: string },
    options: { signal?: AbortSignal; onProgress?: KeyProgress } = {},
  ): Promise<FheKeyRecord> {
    const keyId = wanted.keyId ?? this.#freeKeyId();
    this.#assertUnknown(keyId);
    const request = { dimension: wanted.dimension, keyId, now: this.#in.clock.now() };
    return await this.#add(await generateKeySetInThread(request, options), options.signal);
  }

  /** Makes a new key set of the active one's dimension; `precondition_failed` where there is none. */
  async rotate(signal?: AbortSignal): Promise<FheKeyRecord> {
    const { active } = this;
    if (active === null) {
      throw new VaultError("precondition_failed", "The vault holds no FHE key", {
        hint: "run `runevault keys generate --dim N` first",
      });
    }
    return await this.generate({ dimension: active.dimension }, signal === undefined ? {} : { signal });
  }

  /**
   * Takes over an existing key set and puts it in force.
   *
   * @throws {VaultError} `invalid_argument` for files that are damaged or don't belong together, `already_exists`.
   */
  async import(files: KeySetFiles, signal?: AbortSignal): Promise<FheKeyRecord> {
    return await this.#add(files, signal);
  }

  /** The plain files of a key set, the secret key among them; `not_found`. */
  async export(keyId: string): Promise<KeySetFiles> {
    this.show(keyId);
    return await this.#folders.read(keyId);
  }

  /** See {@link ScoreDecryptor}: tries the newest key first, then those before it. */
  decryptScores(blobBase64: string, topK: number, signal?: AbortSignal): Promise<ScoreRow[]> {
    return this.#workers.decryptScores(blobBase64, topK, signal);
  }

  /** Ends the threads. */
  close(): void {
    this.#workers.close();
  }

  async #add(files: KeySetFiles, signal?: AbortSignal): Promise<FheKeyRecord> {
    const facts = await inspectKeySetInThread(files, signal === undefined ? {} : { signal });
    assertKeyId(facts.keyId);
    this.#assertUnknown(facts.keyId);
    const scoreKey = this.#scoreKey(files, facts.dimension ?? this.#fallbackDimension());
    await this.#folders.write(facts.keyId, files);
    const record = await this.#commitOrRemove(facts, scoreKey.dimension);
    this.#takeUp(record, { files, scoreKey });
    this.#workers.setKeys(this.#scoreKeys());
    this.#in.logger.log("info", "fhe_key_in_force", { key_id: record.keyId, dimension: record.dimension });
    return record;
  }

  /** A key set that was not committed was never anybody's: its folder must not stand in the way of the next try. */
  async #commitOrRemove(facts: KeySetFacts, dimension: number): Promise<FheKeyRecord> {
    try {
      return await this.#commit(facts, dimension);
    } catch (error) {
      await this.#folders.remove(facts.keyId);
      throw error;
    }
  }

  #commit(facts: KeySetFacts, dimension: number): Promise<FheKeyRecord> {
    const { writer, clock, state } = this.#in;
    return writer.change(() => {
      this.#assertUnknown(facts.keyId);
      const record: FheKeyRecord = { ...facts, dimension, addedAt: clock.now(), active: true };
      const former = [...state.fheKeys.values()].filter((one) => one.active);
      const writes = [...former.map((one) => putKey({ ...one, active: false })), putKey(record)];
      return { writes, result: () => record };
    });
  }

  /** The digests are compared with the store's: a key swapped on disk would make clients encrypt to its maker. */
  async #read(record: FheKeyRecord): Promise<Loaded> {
    const files = await this.#folders.read(record.keyId);
    const facts = await inspectKeySetInThread(files).catch((cause) => {
      throw this.#changedOnDisk(record, cause);
    });
    const changed = facts.secretKeySha256 !== record.secretKeySha256 ||
      facts.encryptionKeySha256 !== record.encryptionKeySha256 ||
      facts.evaluationKeySha256 !== record.evaluationKeySha256;
    if (changed) throw this.#changedOnDisk(record);
    return { files, scoreKey: this.#scoreKey(files, record.dimension) };
  }

  #changedOnDisk({ keyId }: FheKeyRecord, cause?: unknown): VaultError {
    return new VaultError("config_invalid", `The key files in ${this.#folders.path(keyId)} were changed`, {
      hint: "put them back from a backup",
      cause,
    });
  }

  #takeUp(record: FheKeyRecord, { files, scoreKey }: Loaded): void {
    this.#loaded.set(record.keyId, scoreKey);
    if (!record.active) return;
    const { encKeyJson, evalKeyJson } = files;
    this.#publicFiles = { keyId: record.keyId, encKeyJson, ...(evalKeyJson === undefined ? {} : { evalKeyJson }) };
  }

  #scoreKey(files: KeySetFiles, dimension: number): ScoreKey {
    return { secretKey: readSecretKeyFile(files.secKeyJson).secretKey, dimension };
  }

  #scoreKeys(): ScoreKey[] {
    return this.list().map((record) => this.#loaded.get(record.keyId)!);
  }

  #fallbackDimension(): number {
    return this.#in.fallbackDimension ?? DEFAULT_DIMENSION;
  }

  #assertUnknown(keyId: string): void {
    if (!this.#in.state.fheKeys.has(keyId)) return;
    throw new VaultError("already_exists", `The vault has a key set ${JSON.stringify(keyId)} already`);
  }

  #freeKeyId(): string {
    const { fheKeys } = this.#in.state;
    if (!fheKeys.has(DEFAULT_KEY_ID)) return DEFAULT_KEY_ID;
    let number = 2;
    while (fheKeys.has(`${DEFAULT_KEY_ID}-${number}`)) number++;
    return `${DEFAULT_KEY_ID}-${number}`;
  }
}

function putKey(record: FheKeyRecord): Write {
  return { kind: "fhe_key", key: record.keyId, value: record };
}
