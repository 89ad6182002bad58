/**
 * The running process: the one place where everything is put together, started and stopped.
 *
 * @module
 */

import { hostname } from "node:os";
import { Health } from "../proto/gen/grpc/health/v1/health_pb.ts";
import { Identity } from "../proto/gen/runevault/v1/identity_pb.ts";
import { Metadata } from "../proto/gen/runevault/v1/metadata_pb.ts";
import { VaultService } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { ensureAdminToken } from "../admin/mod.ts";
import { RelayThread } from "../listeners/mod.ts";
import type { AuditFace } from "../vault/audit/entry.ts";
import type { Audit } from "../vault/audit/trail.ts";
import {
  asVaultError,
  ERROR_TABLE,
  type SealKey,
  SqliteStore,
  type Store,
  Vault,
  VaultError,
  VaultState,
} from "../vault/mod.ts";
import { assertSealOpens } from "../vault/bootstrap.ts";
import type { Caller } from "../vault/tokens/authenticator.ts";
import { pastOf, type TrailPast } from "../vault/rollback/past.ts";
import { assertAccepted, type Rollback, rollbackOf } from "../vault/rollback/rollback.ts";
import { checkDatabase } from "../vault/storage/sqlite_copy.ts";
import {
  assertPrivate,
  assertPrivateIfThere,
  makePrivateFolder,
  removeIfThere,
  writeNewPrivateFile,
} from "../vault/storage/private_files.ts";
import { VERSION } from "../version.ts";
import { Backups, removeLeftSnapshots } from "./backup/backups.ts";
import { systemClock, systemRandom } from "./clock.ts";
import type { Config, RawValues } from "./config.ts";
import { openAudit } from "./audit.ts";
import { takeDataFolder } from "./data_folder.ts";
import { createHealth, type HealthReporter } from "./grpc/health.ts";
import { createIdentityService } from "./grpc/identity_service.ts";
import { createReflection } from "./grpc/reflection.ts";
import { ThreadedBatches } from "./grpc/threads/threaded_batches.ts";
import { createUnary } from "./grpc/unary.ts";
import { type TokenHolder, unhandledRecorder } from "./grpc/unhandled_record.ts";
import { createMetadataService, createVaultService } from "./grpc/vault_service.ts";
import { createVaultApi, OPERATOR } from "./http/identity_api.ts";
import { assertTlsPossible, type PreparedTls, prepareTls } from "./listener_tls.ts";
import { type Faces, Listeners } from "./listeners.ts";
import { LineLogger } from "./logger.ts";
import { DATABASE_PLUGINS } from "../databases/mod.ts";
import { loadNativeLibraries } from "./native_libraries.ts";
import { Metrics } from "./metrics.ts";
import { TimedStore } from "./timed_store.ts";
import { tracingSettings } from "./tracing/settings.ts";
import { tracedAudit } from "./tracing/traced_audit.ts";
import { ProcessFacts } from "./process_facts.ts";
import { loadEnvectorKey, loadSealKey, loadTeamSecret, teamSecretBytes } from "./secret_files.ts";
import { readSources, type Sources } from "./sources.ts";
import { giveBackLater } from "./start_garbage.ts";
import { systemdEnvironment, SystemdNotifier } from "./systemd.ts";
import { watchCertificateEnds } from "./tls_watch.ts";
import { assertWorkersPossible } from "./workers.ts";

/** Whoever logs in waits for a core; the rest of the vault needs the others. */
const MAX_PASSWORD_THREADS = 4;
/** How much longer than loading the store its check may hold up a start. */
const MAX_CHECK_MS = 2000;

/** What a terminal gets from the server besides its log. */
export interface ServeOutput {
  /** Writes a line to standard error. */
  error(line: string): void;
}

/** What has to be undone at a stop, in the order in which it was done. */
export type Undo = () => void | Promise<void>;

/**
 * Serves until SIGTERM or SIGINT.
 *
 * @param flags The flags of `runevault serve`, by the keys of `SERVE_OPTIONS`.
 * @returns The exit code: 0 after a stop that was asked for, 78 for a configuration that can't be served.
 */
export async function serve(flags: RawValues, output: ServeOutput): Promise<number> {
  // Whatever this process makes is its owner's alone, SQLite's files included.
  Deno.umask(0o077);
  const undo: Undo[] = [];
  try {
    const sources = await readSources(flags["dev"] === true ? await devFlags(flags, undo) : flags);
    const daemon = new Daemon(sources, output, undo);
    await daemon.start();
    return await daemon.finish();
  } catch (thrown) {
    const error = asVaultError(thrown);
    output.error(`runevault: ${error.message}`);
    if (error.hint !== undefined) output.error(`hint: ${error.hint}`);
    if (error.kind === "internal" && error.cause instanceof Error) output.error(String(error.cause.stack));
    return ERROR_TABLE[error.kind].exit;
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** A throw-away vault lives in a folder of its own, and its ports are free ones unless asked for. */
async function devFlags(flags: RawValues, undo: Undo[]): Promise<RawValues> {
  if (flags["data_dir"] !== undefined) return flags;
  const folder = await Deno.makeTempDir({ prefix: "runevault-dev-" });
  undo.push(() => Deno.remove(folder, { recursive: true }));
  return { ...flags, data_dir: folder };
}

/** A vault with its listeners, from start to stop. What it opened is undone by the caller, last first. */
export class Daemon {
  readonly #sources: Sources;
  readonly #config: Config;
  readonly #output: ServeOutput;
  readonly #undo: Undo[];
  readonly #logger: LineLogger;
  readonly #notifier: SystemdNotifier;
  readonly #stop = Promise.withResolvers<number>();
  #store: TimedStore | undefined;

  constructor(sources: Sources, output: ServeOutput, undo: Undo[]) {
    const { logFormat, logLevel } = sources.config;
    this.#sources = sources;
    this.#config = sources.config;
    this.#output = output;
    this.#undo = undo;
    const format = logFormat ?? (Deno.stderr.isTerminal() ? "text" : "json");
    this.#logger = new LineLogger(Deno.stderr, systemClock, format, logLevel);
    const ownPath = `${this.#config.dataDir}/notify.sock`;
    this.#notifier = new SystemdNotifier(systemdEnvironment((name) => Deno.env.get(name)), ownPath, this.#logger);
    undo.push(() => this.#logger.flush());
  }

  /**
   * Opens the vault and every listener that is on.
   *
   * @throws {VaultError} `config_invalid` for a configuration or a data folder that can't be served.
   */
  async start(): Promise<void> {
    assertTlsPossible(this.#config);
    await assertWorkersPossible(this.#config);
    const folder = await takeDataFolder(this.#config.dataDir);
    this.#undo.push(() => folder.release(), () => this.#notifier.close());
    await removeLeftSnapshots(this.#config.dataDir);
    await this.#assertPrivateFiles();
    const isFirstStart = !(await exists(`${this.#config.dataDir}/runevault.db`));
    const vault = await this.#openVault();
    // Before its ports are asked for: it starts while this thread does the rest.
    const relay = await this.#startRelay();
    this.#undo.push(() => relay.close());
    if (isFirstStart) await this.#makeRootToken(vault);
    await this.#makeFirstKeys(vault);
    const tls = await this.#prepareTls();
    const facts = new ProcessFacts(this.#config, vault, tls.grpc ?? tls.api, systemClock);
    this.#undo.push(() => facts.stop());
    this.#handleSignals(vault);
    const health = createHealth([VaultService.typeName, Metadata.typeName, Identity.typeName]);
    const listeners = new Listeners(this.#logger, systemRandom, relay);
    this.#undo.push(() => listeners.close());
    facts.addresses = await listeners.open(this.#config, await this.#faces(vault, facts, health, tls));
    // Whoever waits for the feed must not hold up the listeners' end.
    this.#undo.push(() => vault.engine.revocationFeed.close());
    this.#nameIssuer(vault, facts.addresses.api);
    vault.start();
    facts.ready = true;
    health.setServing(true);
    await this.#announce(facts);
    if (this.#config.dev) await this.#makeDemoUser(vault);
    await this.#notifier.ready();
    this.#undo.push(() => void (facts.ready = false), giveBackLater());
  }

  /** Waits for the signal to stop; returns the exit code. */
  async finish(): Promise<number> {
    const code = await this.#stop.promise;
    this.#logger.log("info", "stopping");
    await this.#notifier.notify("STOPPING=1");
    return code;
  }

  /** Rune-Vault's token file holds usable tokens, and a database from a backup may have come with another mode. */
  async #assertPrivateFiles(): Promise<void> {
    const { credentialsDir } = this.#sources;
    const { dataDir, tokensFile } = this.#config;
    for (const path of [`${dataDir}/runevault.db`, tokensFile]) await assertPrivateIfThere(path, credentialsDir);
  }

  async #openVault(): Promise<Vault> {
    const { config, credentialsDir } = this.#sources;
    // Before the first thread: one that is there already would keep the permission that is given up after it.
    const native = await loadNativeLibraries({ folder: `${config.dataDir}/native`, logger: this.#logger });
    const sqlite = new SqliteStore(`${config.dataDir}/runevault.db`, (reason) => this.#die(reason));
    const store = this.#store = new TimedStore(sqlite, () => systemClock.monotonic());
    const closeStore = () => store.close();
    this.#undo.push(closeStore);
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
      ...await openAudit(config, { store, sealKey, logger: this.#logger, mayBeginAnew }),
      past,
      store,
      state,
      sealKey,
      suppliedSecret: await this.#suppliedSecret(isEmpty),
      legacyTokens: await this.#legacyTokens(),
      clock: systemClock,
      random: systemRandom,
      logger: this.#logger,
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
    this.#undo.push(() => vault.close());
    return vault;
  }

  /** What the audit file knows that the store doesn't: it may be an older copy of itself. */
  async #past(store: Store, { sequence }: VaultState): Promise<TrailPast | null> {
    const { auditFile } = this.#config;
    if (auditFile === null) return null;
    return await pastOf(auditFile, await store.get("audit_head", "head") ?? null, sequence);
  }

  /** Where every token ends, whoever got to know the admin token since shall not have it either: a new one is drawn. */
  async #endOldAdminToken(rollback: Rollback | null): Promise<void> {
    const { dataDir, rollback: choice } = this.#config;
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
      if (late !== null) this.#stop.reject(this.#damaged(late));
    });
  }

  #damaged(reason: string): VaultError {
    const path = `${this.#config.dataDir}/runevault.db`;
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
    const { legacyTokens, tokensFile } = this.#config;
    if (legacyTokens.length === 0) return [];
    this.#logger.log("warn", "legacy_tokens_deprecated", { hint: "take VAULT_TOKENS out of the environment" });
    try {
      await Deno.stat(tokensFile);
      return [];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return legacyTokens;
      throw error;
    }
  }

  async #clientSettings() {
    const { indexName, envectorEndpoint, envectorApiKeyFile } = this.#config;
    const { credentialsDir } = this.#sources;
    const envectorApiKey = envectorApiKeyFile === undefined
      ? this.#config.envectorApiKey
      : await loadEnvectorKey(envectorApiKeyFile, { credentialsDir });
    return {
      ...(indexName === undefined ? {} : { indexName }),
      ...(envectorEndpoint === undefined ? {} : { envectorEndpoint }),
      ...(envectorApiKey === undefined ? {} : { envectorApiKey }),
    };
  }

  /** `--fhe-dim`: a vault that starts from nothing makes its FHE key set. */
  async #makeFirstKeys({ keyRing }: Vault): Promise<void> {
    const { fheDim } = this.#config;
    if (fheDim === undefined || keyRing.active !== null) return;
    this.#output.error(`making the FHE key set of dimension ${fheDim}`);
    let shown = 0;
    const onProgress = (done: number, total: number) => {
      const percent = Math.floor(done * 10 / total) * 10;
      if (percent > shown) this.#output.error(`FHE keys: ${shown = percent} %`);
    };
    await keyRing.generate({ dimension: fheDim }, { onProgress });
  }

  /** `--root-token-file`, which only the first start looks at. */
  async #makeRootToken({ engine }: Vault): Promise<void> {
    const { rootTokenFile } = this.#config;
    if (rootTokenFile === undefined) return;
    await engine.rootTokens.make((token) =>
      writeNewPrivateFile(rootTokenFile, new TextEncoder().encode(`${token}\n`)).catch((cause) => {
        throw new VaultError("config_invalid", `The root token can't be written to ${rootTokenFile}`, { cause });
      })
    );
    this.#logger.log("info", "root_token_made", { path: rootTokenFile });
  }

  async #prepareTls(): Promise<PreparedTls> {
    const { credentialsDir } = this.#sources;
    const around = { clock: systemClock, random: systemRandom, logger: this.#logger, credentialsDir };
    const tls = await prepareTls(this.#config, around);
    const shared = tls.grpc ?? tls.api;
    if (shared !== null) this.#undo.push(() => shared.material.close());
    this.#undo.push(watchCertificateEnds(shared, around));
    return tls;
  }

  async #faces(
    vault: Vault,
    facts: ProcessFacts,
    health: HealthReporter,
    tls: PreparedTls,
  ): Promise<Faces> {
    const metrics = new Metrics(facts, vault, this.#config.metricsUsers);
    this.#store!.observe = metrics.vault.observeCommit;
    const ports = { clock: systemClock, random: systemRandom, logger: this.#logger };
    const audit = await this.#tracedAudit(vault);
    const audited = {
      audit,
      auditReader: vault.auditReader,
      hashValue: (value: string) => vault.auditValues.hash(value),
    };
    const unary = createUnary({ ...ports, audit, observe: (call) => metrics.observe(call) });
    const batches = new ThreadedBatches(vault.envelopes);
    const parts = { vault, unary, batches };
    const { engine } = vault;
    const api = createVaultApi({
      ...ports,
      ...audited,
      engine,
      version: VERSION,
      observe: (request) => metrics.observeApi(request),
    });
    const identityApi = (request: Request, face: AuditFace) =>
      api(request, { address: "127.0.0.1", isTls: false, operator: OPERATOR, face });
    const adminToken = await ensureAdminToken(this.#config.dataDir, systemRandom);
    return {
      grpc: {
        services: [
          createVaultService(parts),
          createMetadataService(parts),
          createIdentityService(parts),
          health.service,
          ...createReflection([VaultService, Metadata, Identity, Health]),
        ],
        batches,
        envelopes: vault.envelopes,
        isLive: (token) => callerOf(vault, token) !== undefined,
        onUnhandled: unhandledRecorder({ ...ports, audit, holderOf: (token) => holderOf(vault, token) }),
        health,
        onThreadDeath: (reason) => this.#threadDied(reason),
      },
      tls,
      api,
      admin: {
        ...ports,
        ...audited,
        vault,
        facts,
        adminToken,
        uid: Deno.uid(),
        identityApi,
        backups: this.#backups(),
        tls: { renew: (tls.grpc ?? tls.api)?.renew ?? null },
      },
      monitoring: {
        metrics: () => metrics.render(),
        health: () => facts.healthReport(),
        isReady: () => facts.ready,
        status: () => facts.publicStatus(),
      },
    };
  }

  /** With OpenTelemetry's variables each request ends as a span too; without them nothing of it is loaded. */
  async #tracedAudit({ audit }: Vault): Promise<Audit> {
    const settings = tracingSettings((name) => Deno.env.get(name));
    if (settings === undefined) return audit;
    const { openSpanSender } = await import("./tracing/otlp.ts");
    const sender = openSpanSender(settings, VERSION, this.#logger);
    this.#undo.push(() => sender.close());
    return tracedAudit(audit, sender.record, () => systemClock.monotonic());
  }

  #backups(): Backups {
    const { dataDir, sealKeyFile, rolesFile, tokensFile, auditFile } = this.#config;
    const { configPath } = this.#sources;
    const files = { dataDir, sealKeyFile, rolesFile, tokensFile, configPath, auditFile };
    const backups = new Backups({ ...files, clock: systemClock });
    this.#undo.push(() => backups.close());
    return backups;
  }

  /** Identity tokens name their issuer by what the operator said, never by what a request says. */
  #nameIssuer({ engine }: Vault, api: string | null): void {
    const { publicUrl, apiTls, tlsHostnames } = this.#config;
    const port = api?.slice(api.lastIndexOf(":") + 1) ?? "8200";
    const made = `${apiTls === "off" ? "http" : "https"}://${tlsHostnames[0] ?? hostname()}:${port}`;
    engine.issuer.ownUrl = publicUrl ?? made;
    if (publicUrl !== undefined || api === null || this.#config.dev) return;
    this.#logger.log("warn", "no_public_url", { issuer: made, hint: "give --public-url: identity tokens name it" });
  }

  #handleSignals(vault: Vault): void {
    const stop = () => this.#stop.resolve(0);
    const reload = () => {
      this.#logger.log("info", "reloading");
      vault.trail?.reopen();
      vault.files.reload(false).catch((error) => this.#logger.log("error", "reload_failed", { reason: String(error) }));
    };
    const handlers = [["SIGTERM", stop], ["SIGINT", stop], ["SIGHUP", reload]] as const;
    for (const [signal, handler] of handlers) {
      Deno.addSignalListener(signal, handler);
      this.#undo.push(() => Deno.removeSignalListener(signal, handler));
    }
  }

  async #announce(facts: ProcessFacts): Promise<void> {
    const path = `${this.#config.dataDir}/addresses.json`;
    const { addresses } = facts;
    const about = { api_tls: this.#config.apiTls, pid: Deno.pid };
    await replaceFile(path, `${JSON.stringify({ ...addresses, ...about })}\n`);
    this.#undo.push(() => Deno.remove(path));
    if (facts.status().users === 0 && !this.#config.dev) {
      this.#logger.log("info", "no_user_yet", { hint: "runevault token issue --user NAME --role member" });
    }
    this.#logger.log("info", "ready", { ...addresses });
  }

  async #makeDemoUser(vault: Vault): Promise<void> {
    const { token } = await vault.tokens.issue({ user: "demo", role: "admin", expiresDays: 1 });
    await this.#logger.flush();
    this.#output.error(`user demo, role admin, token ${token} (this vault and its data go when it stops)`);
  }

  /** Its callers have lost their connections, and new ones would wait at its share of the port for ever. */
  #threadDied(reason: string): void {
    this.#logger.log("error", "grpc_thread_died", { reason });
    this.#stop.reject(new VaultError("internal", `A thread that serves gRPC died: ${reason}`));
  }

  /** Nobody can reach an HTTP port any more, nor this process through one. */
  /** It may write where its sockets are, so that is a folder with nothing else in it. */
  async #startRelay(): Promise<RelayThread> {
    const folder = `${this.#config.dataDir}/relay`;
    await makePrivateFolder(folder);
    await assertPrivate(folder);
    return new RelayThread({ folder, onDeath: (reason) => this.#relayDied(reason) });
  }

  #relayDied(reason: string): void {
    this.#logger.log("error", "relay_thread_died", { reason });
    this.#stop.reject(new VaultError("internal", `The thread that relays HTTP connections died: ${reason}`));
  }

  /** Whether the last commit took effect is unknown: only a start that reads the store again can tell. */
  #die(reason: string): void {
    this.#logger.log("error", "store_died", { reason });
    this.#stop.reject(new VaultError("storage_failed", `The store died: ${reason}`));
  }
}

/** Who would be let in with a token now; undefined: nobody. It counts nothing. */
function callerOf({ authenticator }: Vault, token: string): Caller | undefined {
  try {
    return authenticator.identify(token);
  } catch (error) {
    if (error instanceof VaultError) return undefined;
    throw error;
  }
}

function holderOf(vault: Vault, token: string): TokenHolder | undefined {
  const caller = callerOf(vault, token);
  if (caller === undefined) return undefined;
  const { name: user, entityId } = caller.user.record;
  return { user, entityId, agentId: caller.agentId };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  await writeNewPrivateFile(temporary, new TextEncoder().encode(text));
  await Deno.rename(temporary, path);
}
