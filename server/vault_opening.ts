/**
 * Opens the vault of a data folder: its store, looked through for damage and for being older than its audit file, its keys, and
 * what the configuration gives it.
 *
 * @module
 */

import { DATABASE_PLUGINS } from "../databases/mod.ts";
import { assertSealOpens } from "../vault/bootstrap.ts";
import { type Logger, type SealKey, SqliteStore, type Store, Vault, VaultError, VaultState } from "../vault/mod.ts";
import { storedHead } from "../vault/audit/stored_head.ts";
import { pastOf, type TrailPast } from "../vault/rollback/past.ts";
import { assertAccepted, type Rollback, rollbackOf } from "../vault/rollback/rollback.ts";
import { removeIfThere } from "../vault/storage/private_files.ts";
import { checkDatabase } from "../vault/storage/sqlite_copy.ts";
import { openAudit } from "./audit.ts";
import { systemClock, systemRandom } from "./clock.ts";
import { keepLargeBlocksApart, keepsBuffersOfIdleSockets } from "./c_heap.ts";
import { loadNativeLibraries } from "./native_libraries.ts";
import { loadEnvectorKey, loadSealKey, loadTeamSecret, teamSecretBytes } from "./secret_files.ts";
import type { Sources } from "./sources.ts";
import { TimedStore } from "./timed_store.ts";
import type { Undo } from "./undo.ts";

/** Whoever logs in waits for a core; the rest of the vault needs the others. */
const MAX_PASSWORD_THREADS = 4;
/** How much longer than loading the store its check may hold up a start. */
const MAX_CHECK_MS = 2000;

/** An open vault with the store beneath it. */
export interface OpenedVault {
  readonly vault: Vault;
  readonly store: TimedStore;
}

/** What is told of a vault, by when it is open and after. */
export interface OpeningEvents {
  readonly logger: Logger;
  /** What the start did, to be undone at a stop. */
  readonly undo: Undo[];
  /** Whether the last commit took effect is unknown: only a start that reads the store again can tell. */
  storeDeath(reason: string): void;
  /** The store turned out to be damaged when it was served already. */
  damage(error: VaultError): void;
}

/** The opening of one vault. */
export class VaultOpening {
  readonly #sources: Sources;
  readonly #on: OpeningEvents;

  constructor(sources: Sources, on: OpeningEvents) {
    this.#sources = sources;
    this.#on = on;
  }

  /**
   * Opens it.
   *
   * @throws {VaultError} `config_invalid` for a data folder that can't be served.
   */
  async open(): Promise<OpenedVault> {
    const { config, credentialsDir } = this.#sources;
    const { logger } = this.#on;
    // Both before the first thread: one that is there already would keep the permission that is given up after them.
    if (keepsBuffersOfIdleSockets(Deno.version.deno)) keepLargeBlocksApart(logger);
    const native = await loadNativeLibraries({ folder: `${config.dataDir}/native`, logger });
    const sqlite = new SqliteStore(`${config.dataDir}/runevault.db`, (reason) => this.#on.storeDeath(reason));
    const store = new TimedStore(sqlite, () => systemClock.monotonic());
    const closeStore = () => store.close();
    this.#on.undo.push(closeStore);
    const damage = checkDatabase(`${config.dataDir}/runevault.db`);
    const state = await VaultState.load(store).catch(async (error) => {
      // What is damaged may not even go together; the damage is what to tell then.
      await this.#assertWhole(damage);
      throw error;
    });
    await this.#assertWhole(damage);
    const isEmpty = state.sequence === 0;
    const past = await this.#past(store, state);
    const rollback = rollbackOf(state, past);
    assertAccepted(rollback, config.rollback);
    const sealKey: SealKey = await loadSealKey(config.sealKeyFile, isEmpty, systemRandom, { credentialsDir });
    // The trail's key is sealed too, and would be blamed for a seal key that is another's.
    assertSealOpens({ state, sealKey });
    await this.#endOldAdminToken(rollback);
    const mayBeginAnew = config.auditNewKey || rollback !== null;
    const vault = await Vault.open({
      ...await openAudit(config, { store, sealKey, logger, mayBeginAnew }),
      past,
      store,
      state,
      sealKey,
      suppliedSecret: await this.#suppliedSecret(isEmpty),
      legacyTokens: await this.#legacyTokens(),
      clock: systemClock,
      random: systemRandom,
      logger,
      envelopeV1: config.envelopeV1,
      clientSettings: await this.#clientSettings(),
      keysFolder: `${config.dataDir}/keys`,
      fallbackDimension: config.fheDim ?? config.embeddingDim,
      // One core stays with the event loop, or token checks would wait for their turn on a busy machine.
      scoreThreads: Math.max(1, navigator.hardwareConcurrency - 1),
      // One more than cores: while the event loop takes a hash and hands out the next, the core goes on with another.
      passwordThreads: Math.min(navigator.hardwareConcurrency + 1, MAX_PASSWORD_THREADS),
      nativeJwt: native.jwt,
      nativeArgon2: native.argon2,
      databasePlugins: DATABASE_PLUGINS,
      maxLeases: config.maxLeases,
      rolesPath: config.rolesFile,
      tokensPath: config.tokensFile,
      yamlMaxUsers: config.yamlMaxUsers,
      rollback: config.rollback,
      pauseRevocation: config.pauseRevocation,
    });
    this.#on.undo.push(() => vault.close());
    return { vault, store };
  }

  /** What the audit file knows that the store doesn't: it may be an older copy of itself. */
  async #past(store: Store, { sequence }: VaultState): Promise<TrailPast | null> {
    const { auditFile } = this.#sources.config;
    if (auditFile === null) return null;
    return await pastOf(auditFile, await storedHead(store), sequence);
  }

  /** Where every token ends, whoever got to know the admin token since shall not have it either: a new one is drawn. */
  async #endOldAdminToken(rollback: Rollback | null): Promise<void> {
    const { dataDir, rollback: choice } = this.#sources.config;
    if (rollback === null || rollback.replay !== null || choice.keepTokens) return;
    await removeIfThere(`${dataDir}/admin.token`);
  }

  /**
   * Refuses a damaged store. One of millions of records takes longer than a start may: it is served meanwhile, and what
   * is found then ends the process.
   */
  async #assertWhole(damage: Promise<string | null>): Promise<void> {
    const { promise: patience, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(() => resolve(null), MAX_CHECK_MS);
    const found = await Promise.race([damage, patience]);
    clearTimeout(timer);
    if (found !== null) throw this.#damaged(found);
    void damage.then((late) => {
      if (late !== null) this.#on.damage(this.#damaged(late));
    });
  }

  #damaged(reason: string): VaultError {
    const path = `${this.#sources.config.dataDir}/runevault.db`;
    return new VaultError("config_invalid", `The database ${path} is damaged: ${reason}`, {
      hint: "look at the disk, then restore a backup (`runevault restore`); nothing was changed",
    });
  }

  async #suppliedSecret(isEmpty: boolean): Promise<Uint8Array | undefined> {
    const { config, credentialsDir, legacySecret } = this.#sources;
    if (config.teamSecretFile !== undefined) return await loadTeamSecret(config.teamSecretFile, { credentialsDir });
    if (config.teamSecret !== undefined) return teamSecretBytes(config.teamSecret);
    return isEmpty ? legacySecret : undefined;
  }

  /** The old vault took them only where there was no token file. */
  async #legacyTokens(): Promise<readonly string[]> {
    const { legacyTokens, tokensFile } = this.#sources.config;
    if (legacyTokens.length === 0) return [];
    this.#on.logger.log("warn", "legacy_tokens_deprecated", { hint: "take VAULT_TOKENS out of the environment" });
    try {
      await Deno.stat(tokensFile);
      return [];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return legacyTokens;
      throw error;
    }
  }

  async #clientSettings() {
    const { indexName, envectorEndpoint, envectorApiKeyFile } = this.#sources.config;
    const { credentialsDir } = this.#sources;
    const envectorApiKey = envectorApiKeyFile === undefined
      ? this.#sources.config.envectorApiKey
      : await loadEnvectorKey(envectorApiKeyFile, { credentialsDir });
    return {
      ...(indexName === undefined ? {} : { indexName }),
      ...(envectorEndpoint === undefined ? {} : { envectorEndpoint }),
      ...(envectorApiKey === undefined ? {} : { envectorApiKey }),
    };
  }
}
