/**
 * The running process: the one place where everything is put together, started and stopped.
 *
 * @module
 */

import { hostname } from "node:os";
import { Identity } from "../proto/gen/runevault/v1/identity_pb.ts";
import { Metadata } from "../proto/gen/runevault/v1/metadata_pb.ts";
import { VaultService } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { RelayThread } from "../listeners/mod.ts";
import { asVaultError, ERROR_TABLE, type Vault, VaultError } from "../vault/mod.ts";
import {
  assertPrivate,
  assertPrivateIfThere,
  makePrivateFolder,
  writeNewPrivateFile,
} from "../vault/storage/private_files.ts";
import { removeLeftSnapshots } from "./backup/backups.ts";
import { assertNoneUnfinished } from "./backup/staging.ts";
import { systemClock, systemRandom } from "./clock.ts";
import type { Config } from "./config.ts";
import type { RawValues } from "./config_values.ts";
import { takeDataFolder } from "./data_folder.ts";
import { facesOf } from "./faces.ts";
import { makeDemoUser, makeFirstKeys, makeRootToken } from "./first_start.ts";
import { createHealth } from "./grpc/health.ts";
import { assertTlsPossible, type PreparedTls, prepareTls } from "./listener_tls.ts";
import { assertImportFinished } from "./import_mark.ts";
import { Listeners } from "./listeners.ts";
import { LineLogger } from "./logger.ts";
import { ProcessFacts } from "./process_facts.ts";
import { readSources, type Sources } from "./sources.ts";
import { giveBackLater } from "./start_garbage.ts";
import { startRefusal } from "./start_refusal.ts";
import { StopReason } from "./stop_reason.ts";
import { systemdEnvironment, SystemdNotifier } from "./systemd.ts";
import { watchCertificateEnds } from "./tls_watch.ts";
import { type Undo, undoAll } from "./undo.ts";
import { tellUnknownVariables } from "./unknown_variables.ts";
import { VaultOpening } from "./vault_opening.ts";
import { assertWorkersPossible } from "./workers.ts";

/** What a terminal gets from the server besides its log. */
export interface ServeOutput {
  /** Writes a line to standard error. */
  error(line: string): void;
}

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
    await assertImportFinished(sources.config.dataDir);
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
    await undoAll(undo);
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
  readonly #stop = new StopReason();

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
    await this.#start().catch((thrown) => {
      throw startRefusal(thrown);
    });
  }

  async #start(): Promise<void> {
    tellUnknownVariables(this.#logger, Object.keys(Deno.env.toObject()));
    assertTlsPossible(this.#config);
    await assertWorkersPossible(this.#config);
    const folder = await takeDataFolder(this.#config.dataDir);
    this.#undo.push(() => folder.release(), () => this.#notifier.close());
    await assertNoneUnfinished(this.#config.dataDir);
    await removeLeftSnapshots(this.#config.dataDir);
    await this.#assertPrivateFiles();
    const isFirstStart = !(await exists(`${this.#config.dataDir}/runevault.db`));
    const opened = await this.#opening().open();
    const { vault } = opened;
    // Before its ports are asked for: it starts while this thread does the rest.
    const relay = await this.#startRelay();
    this.#undo.push(() => relay.close());
    if (isFirstStart) await this.#makeRootToken(vault);
    await makeFirstKeys(vault, this.#config, (line) => this.#output.error(line));
    const tls = await this.#prepareTls();
    const facts = new ProcessFacts(this.#config, vault, tls.grpc ?? tls.api, systemClock);
    this.#undo.push(() => facts.stop());
    this.#handleSignals(vault);
    const health = createHealth([VaultService.typeName, Metadata.typeName, Identity.typeName]);
    const listeners = new Listeners(this.#logger, systemRandom, relay);
    this.#undo.push(() => listeners.close());
    facts.addresses = await listeners.open(
      this.#config,
      await facesOf(opened, {
        sources: this.#sources,
        facts,
        health,
        tls,
        logger: this.#logger,
        undo: this.#undo,
        onThreadDeath: (reason) => this.#threadDied(reason),
      }),
    );
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
    const code = await this.#stop.wait();
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

  #opening(): VaultOpening {
    return new VaultOpening(this.#sources, {
      logger: this.#logger,
      undo: this.#undo,
      storeDeath: (reason) => this.#storeDied(reason),
      damage: (error) => this.#stop.fail(error),
    });
  }

  async #makeRootToken(vault: Vault): Promise<void> {
    const { rootTokenFile } = this.#config;
    if (rootTokenFile === undefined) return;
    await makeRootToken(vault, rootTokenFile);
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
    const stop = () => this.#stop.ask(0);
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
    const token = await makeDemoUser(vault);
    await this.#logger.flush();
    this.#output.error(`user demo, role admin, token ${token} (this vault and its data go when it stops)`);
  }

  /** Its callers have lost their connections, and new ones would wait at its share of the port for ever. */
  #threadDied(reason: string): void {
    this.#logger.log("error", "grpc_thread_died", { reason });
    this.#stop.fail(new VaultError("internal", `A thread that serves gRPC died: ${reason}`));
  }

  /** It may write where its sockets are, so that is a folder with nothing else in it. */
  async #startRelay(): Promise<RelayThread> {
    const folder = `${this.#config.dataDir}/relay`;
    await makePrivateFolder(folder);
    await assertPrivate(folder);
    return new RelayThread({ folder, onDeath: (reason) => this.#relayDied(reason) });
  }

  /** Nobody can reach an HTTP port any more, nor this process through one. */
  #relayDied(reason: string): void {
    this.#logger.log("error", "relay_thread_died", { reason });
    this.#stop.fail(new VaultError("internal", `The thread that relays HTTP connections died: ${reason}`));
  }

  /** Whether the last commit took effect is unknown: only a start that reads the store again can tell. */
  #storeDied(reason: string): void {
    this.#logger.log("error", "store_died", { reason });
    this.#stop.fail(new VaultError("storage_failed", `The store died: ${reason}`));
  }
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
