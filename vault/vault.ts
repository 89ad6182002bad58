/**
 * The domain put together: everything that is true of RuneVault without a network.
 *
 * @module
 */

import { inBackground } from "./audit/request.ts";
import { type Audit, type AuditTrail, UNRECORDED } from "./audit/trail.ts";
import type { TrailReader } from "./audit/trail_reader.ts";
import { ValueHasher } from "./audit/value_hash.ts";
import { bootstrap, reportWeakSecret } from "./bootstrap.ts";
import type { DatabasePlugin } from "./database/ports.ts";
import { KeyRing } from "./fhe_keys/key_ring.ts";
import { IdentityEngine } from "./identity_engine.ts";
import { ClockGuard } from "./clock_guard.ts";
import { FileFace } from "./files/file_face.ts";
import { AgentKeys } from "./keys/agent_keys.ts";
import { EnvelopeService, type EnvelopeV1Policy } from "./keys/envelope_service.ts";
import { type ClientSettings, KeyBundles } from "./keys/key_bundle.ts";
import type { SealKey } from "./keys/seal_key.ts";
import { SecretService } from "./keys/secret_service.ts";
import { TeamSecrets } from "./keys/team_secrets.ts";
import type { NativeJwt } from "./oidc/native_jwt.ts";
import { Operators } from "./operators/operators.ts";
import type { Clock, Logger, RandomSource } from "./ports.ts";
import { RoleService } from "./roles/role_service.ts";
import type { TrailPast } from "./rollback/past.ts";
import { assertAccepted, type Rollback, type RollbackChoice, rollbackOf, settleRollback } from "./rollback/rollback.ts";
import type { VaultState } from "./state.ts";
import type { Store } from "./storage/store.ts";
import { Authenticator } from "./tokens/authenticator.ts";
import { TokenExpiry } from "./tokens/token_expiry.ts";
import { TokenService } from "./tokens/token_service.ts";
import type { NativeArgon2 } from "./userpass/native_passwords.ts";
import { UserService } from "./users/user_service.ts";
import { Writer } from "./writer.ts";

/** What a vault is opened with. */
export interface VaultOptions {
  readonly store: Store;
  /** The store's content, loaded by {@link VaultState.load}. */
  readonly state: VaultState;
  readonly sealKey: SealKey;
  readonly suppliedSecret: Uint8Array | undefined;
  readonly legacyTokens: readonly string[];
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly envelopeV1: EnvelopeV1Policy;
  readonly clientSettings: ClientSettings;
  /** Where the FHE key sets lie. */
  readonly keysFolder: string;
  /** Dimension of indexes under an FHE key set that came without an evaluation key. */
  readonly fallbackDimension: number | undefined;
  /** Threads that decrypt scores, at most. */
  readonly scoreThreads: number;
  /** Threads that hash passwords, at most. */
  readonly passwordThreads: number;
  /** Native code that signs identity tokens faster than the runtime. */
  readonly nativeJwt?: NativeJwt | undefined;
  /** Hashes passwords where it is there. */
  readonly nativeArgon2?: NativeArgon2 | undefined;
  /** The kinds of servers that accounts can be made on; absent: none. */
  readonly databasePlugins?: readonly DatabasePlugin[];
  /** Database accounts that an entity may have at a time; absent: the default. */
  readonly maxLeases?: number;
  readonly rolesPath: string;
  readonly tokensPath: string;
  /** With more users than this the tokens file is not written; absent: 200,000. */
  readonly yamlMaxUsers?: number;
  /** What the operator said about a store that may be older than what was promised; absent: nothing. */
  readonly rollback?: RollbackChoice;
  /** What the audit file knows that the store doesn't; absent: nothing. */
  readonly past?: TrailPast | null;
  /** Nothing is done to database accounts: for a copy beside the vault that they belong to. */
  readonly pauseRevocation?: boolean;
  /** Records who does what; absent: nothing is recorded. */
  readonly trail?: AuditTrail | undefined;
  readonly auditReader?: TrailReader | undefined;
}

const NOT_BEHIND = { hint: "this store is not behind what it promised: take --accept-rollback away" };
const REFUSED: RollbackChoice = { accept: false, keepTokens: false };

/** The rooms of the domain, opened. */
export class Vault {
  readonly state: VaultState;
  readonly authenticator: Authenticator;
  readonly tokens: TokenService;
  readonly roles: RoleService;
  readonly users: UserService;
  readonly operators: Operators;
  readonly secrets: SecretService;
  readonly envelopes: EnvelopeService;
  readonly bundles: KeyBundles;
  readonly keyRing: KeyRing;
  readonly files: FileFace;
  readonly engine: IdentityEngine;
  readonly clockGuard: ClockGuard;
  readonly tokenExpiry: TokenExpiry;
  /** What the faces record requests with. */
  readonly audit: Audit;
  readonly trail: AuditTrail | undefined;
  readonly auditReader: TrailReader | undefined;
  readonly auditValues: ValueHasher;
  readonly #logger: Logger;
  readonly #store: Store;
  readonly #writer: Writer;
  readonly #pauseRevocation: boolean;

  /**
   * Opens a vault on a store: checks keys and secrets, makes what a first start needs, takes in edited files.
   *
   * @throws {VaultError} `config_invalid` when it can't be served as it is; nothing was changed then.
   */
  static async open(options: VaultOptions): Promise<Vault> {
    const vault = new Vault(options, new Writer(options.store, options.state, options.trail));
    try {
      const rollback = rollbackOf(options.state, options.past ?? null);
      assertAccepted(rollback, options.rollback ?? REFUSED);
      await inBackground("bootstrap", () => bootstrap({ ...options, writer: vault.#writer }));
      await vault.keyRing.load();
      if (rollback !== null) await vault.#settle(rollback, options);
      else if (options.rollback?.accept) options.logger.log("warn", "nothing_to_accept", NOT_BEHIND);
      await vault.files.reload(true);
      await inBackground("bootstrap", () => vault.engine.open());
      reportWeakSecret(options);
    } catch (error) {
      vault.engine.close();
      vault.keyRing.close();
      await vault.files.abandon();
      await vault.trail?.abandon();
      throw error;
    }
    return vault;
  }

  /** Before the YAML files are read: they may not bring back what this ends. */
  async #settle(rollback: Rollback, options: VaultOptions): Promise<void> {
    const { index, endings } = this.engine.tokens;
    const planEndOfServiceTokens = () => endings.planEnd([...index.all()]);
    const note = (resource: Readonly<Record<string, unknown>>) => this.trail?.note("accept_rollback", resource);
    await settleRollback(rollback, options.rollback ?? REFUSED, {
      ...options,
      writer: this.#writer,
      planEndOfServiceTokens,
      note,
    });
  }

  private constructor(options: VaultOptions, writer: Writer) {
    const { store, state, sealKey, clock, random, logger, envelopeV1, fallbackDimension } = options;
    const secrets = new TeamSecrets(state, sealKey);
    const keys = new AgentKeys(secrets);
    const settings = options.clientSettings;
    this.#store = store;
    this.#writer = writer;
    this.#logger = logger;
    this.#pauseRevocation = options.pauseRevocation ?? false;
    this.trail = options.trail;
    this.auditReader = options.auditReader;
    this.audit = options.trail ?? UNRECORDED;
    this.auditValues = new ValueHasher(sealKey);
    this.clockGuard = new ClockGuard({ clock, logger, state, writer });
    this.state = state;
    this.authenticator = new Authenticator(state, clock);
    this.tokens = new TokenService({ state, writer, clock, random });
    this.tokenExpiry = new TokenExpiry({ state, writer, clock, random });
    this.roles = new RoleService(state, writer);
    this.users = new UserService(state, writer, this.tokens);
    this.operators = new Operators({ state, writer, clock, random });
    this.secrets = new SecretService(state, writer, sealKey, clock, random);
    this.envelopes = new EnvelopeService({ state, secrets, keys, random, logger, v1Policy: envelopeV1 });
    const folder = options.keysFolder;
    const threads = options.scoreThreads;
    this.keyRing = new KeyRing({ state, writer, sealKey, clock, logger, folder, fallbackDimension, threads });
    const { users } = this;
    const fheKeys = () => this.keyRing.publicFiles;
    this.bundles = new KeyBundles({ state, secrets, keys, users, clock, settings, v1Policy: envelopeV1, fheKeys });
    const { authenticator } = this;
    const { passwordThreads, nativeJwt, nativeArgon2 } = options;
    const plugged = {
      nativeJwt,
      nativeArgon2,
      databasePlugins: options.databasePlugins ?? [],
      maxLeases: options.maxLeases,
    };
    const around = { state, writer, clock, random, sealKey, authenticator, logger, passwordThreads, ...plugged };
    this.engine = new IdentityEngine(around);
    const { identity: { entities }, tokens: { index } } = this.engine;
    this.tokens.noteOtherCredentials({
      find: (name) => entities.byName(name) ?? entities.byId(name),
      has: ({ entityId, mergedEntityIds = [] }) => [entityId, ...mergedEntityIds].some((id) => index.countOf(id) > 0),
    });
    const paths = { roles: options.rolesPath, tokens: options.tokensPath };
    const maxUsers = options.yamlMaxUsers;
    this.files = new FileFace({ store, state, writer, clock, random, logger, paths, maxUsers });
  }

  /** Starts what happens by itself: what has expired ends, keys rotate. None of it while the clock is in doubt. */
  start(): void {
    const mayCommit = () => this.clockGuard.mayCommitExpiry();
    this.clockGuard.start();
    this.auditReader?.start();
    this.engine.start(mayCommit, { pauseRevocation: this.#pauseRevocation });
    inBackground("expire_user_tokens", () =>
      this.tokenExpiry.start(mayCommit, (error) => {
        const reason = error instanceof Error ? error.message : "unknown";
        this.#logger.log("error", "sweep_failed", { sweeper: "user_tokens", reason });
      }));
  }

  /** Ends the changes under way, writes the files, closes the store. */
  async close(): Promise<void> {
    this.clockGuard.close();
    this.tokenExpiry.close();
    await this.engine.close();
    this.keyRing.close();
    await this.#writer.settled();
    await this.files.close();
    await this.trail?.saveHead();
    await this.trail?.close();
    await this.auditReader?.close();
    await this.#store.close();
  }
}
