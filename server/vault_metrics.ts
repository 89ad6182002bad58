/**
 * What is measured of this vault beyond Rune-Vault's metrics: what it holds, what it waits for, how old its keys are.
 *
 * Gauges are read when somebody asks; nothing is counted twice.
 *
 * @module
 */

import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { TrailStatus } from "../vault/audit/trail.ts";
import type { Vault } from "../vault/mod.ts";
import type { FinishedApiRequest } from "./api_metrics.ts";
import type { CommitObserver } from "./timed_store.ts";

/** What the process knows besides the vault. */
export interface SurroundingReadings {
  now(): number;
  /** The event loop's longest pause since the last reading. */
  loopDelaySeconds(): number;
  /** The certificates in use and their ends, in ms since 1970. */
  certificateEnds(): readonly { readonly certificate: string; readonly notAfter: number }[];
}

const LOGIN = "userpass/login/";
const FAST = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const SLOW = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Named keys with an age of their own. */
const MAX_KEYS = 100;

/** A value of a gauge, with its labels. */
type Reading = readonly [labels: Readonly<Record<string, string>>, value: number];
type Readings = () => Iterable<Reading>;

/** The metrics whose names begin with `runevault_`. */
export class VaultMetrics {
  readonly #registry: Registry;
  readonly #vault: Vault;
  readonly #around: SurroundingReadings;
  readonly #logins: Counter<"result">;
  readonly #commits: Histogram<"status">;

  constructor(registry: Registry, vault: Vault, around: SurroundingReadings) {
    this.#registry = registry;
    this.#vault = vault;
    this.#around = around;
    const registers = [registry];
    this.#logins = new Counter({
      name: "runevault_logins_total",
      help: "Logins by password, by how they ended",
      labelNames: ["result"],
      registers,
    });
    for (const result of ["success", "failure"]) this.#logins.inc({ result }, 0);
    this.#commits = new Histogram({
      name: "runevault_store_commit_duration_seconds",
      help: "Time of commits to the store, by how they ended",
      labelNames: ["status"],
      buckets: FAST,
      registers,
    });
    this.#addHoldings();
    this.#addKeys();
    this.#addDatabases();
    this.#addAudit();
  }

  /** Counts a login among the requests of the identity API. */
  readonly observeApi = ({ route, operation, status }: FinishedApiRequest): void => {
    if (operation !== "write" || !route.startsWith(LOGIN)) return;
    this.#logins.inc({ result: status < 300 ? "success" : "failure" });
  };

  /** Counts a commit. */
  readonly observeCommit: CommitObserver = ({ isOk, seconds }) => {
    this.#commits.observe({ status: isOk ? "success" : "error" }, seconds);
  };

  #addHoldings(): void {
    const { state, engine, clockGuard } = this.#vault;
    const cutOff = countCutOff(state);
    const wrapping = countWrapping(state);
    this.#gauge("runevault_users", "Users", [], () => [[{}, state.userCount]]);
    this.#gauge("runevault_users_cut_off", "Users and entities that are cut off", [], () => [[{}, cutOff()]]);
    this.#gauge("runevault_tokens_live", "Tokens that may be presented, by kind", ["kind"], () => [
      [{ kind: "evt" }, state.liveTokenCount],
      [{ kind: "service" }, state.table("service_token").size - wrapping()],
      [{ kind: "wrapping" }, wrapping()],
    ]);
    this.#gauge("runevault_leases", "Leases in use, and those whose accounts are still to go", ["state"], () => {
      const { live, pending } = engine.database.leases.counts;
      return [[{ state: "live" }, live], [{ state: "pending" }, pending]];
    });
    this.#gauge("runevault_revocations", "Rows of the feed of revocations", [], () => [
      [{}, state.table("revocation").size],
    ]);
    this.#gauge("runevault_revocation_feed_waiting", "Callers that wait for the feed to change", [], () => [
      [{}, engine.revocationFeed.waiting],
    ]);
    this.#gauge("runevault_clock_doubted", "1 while the clock is doubted and nothing expires for good", [], () => [
      [{}, clockGuard.status().reason === null ? 0 : 1],
    ]);
    this.#gauge("runevault_store_sequence", "Changes committed so far", [], () => [[{}, state.sequence]]);
    this.#gauge(
      "runevault_event_loop_delay_seconds",
      "The longest pause of the event loop since the last reading",
      [],
      () => [[{}, this.#around.loopDelaySeconds()]],
    );
  }

  #addKeys(): void {
    const ages = () => [...this.#keyMoments()].map(([key, at]) => [{ key }, this.#secondsSince(at)] as const);
    this.#gauge("runevault_key_age_seconds", "Age of keys in use", ["key"], ages);
    this.#gauge(
      "runevault_certificate_expiry_timestamp_seconds",
      "When certificates expire, in seconds since 1970",
      ["certificate"],
      () => this.#around.certificateEnds().map(({ certificate, notAfter }) => [{ certificate }, notAfter / 1000]),
    );
    this.#gauge("runevault_fhe_key_expiry_timestamp_seconds", "When the FHE key in use expires", ["key_id"], () => {
      const active = this.#vault.keyRing.active;
      return active === null ? [] : [[{ key_id: active.keyId }, active.expiresAt / 1000]];
    });
  }

  *#keyMoments(): Iterable<readonly [key: string, createdAt: number]> {
    const { state, keyRing } = this.#vault;
    const newest = [...state.secrets.values()].reduce((a, b) => (b.version > a.version ? b : a));
    yield ["team_secret", newest.createdAt];
    if (keyRing.active !== null) yield ["fhe", keyRing.active.createdAt];
    let named = 0;
    for (const { name, signing } of state.table("oidc_key").values()) {
      if (named++ < MAX_KEYS) yield [`oidc/${name}`, signing.createdAt];
    }
  }

  #addDatabases(): void {
    const durations = new Histogram({
      name: "runevault_database_request_duration_seconds",
      help: "Time of requests to database servers",
      labelNames: ["plugin", "operation", "status"],
      buckets: SLOW,
      registers: [this.#registry],
    });
    this.#vault.engine.database.connections.addObserver(({ pluginName, operation, isOk, seconds }) => {
      durations.observe({ plugin: pluginName, operation, status: isOk ? "success" : "error" }, seconds);
    });
  }

  /** Nothing is told of a trail that is switched off. */
  #addAudit(): void {
    const { trail } = this.#vault;
    const told = (read: (status: TrailStatus) => Reading[]) => () => trail === undefined ? [] : read(trail.status());
    const add = (name: string, help: string, value: (status: TrailStatus) => number) =>
      this.#gauge(name, help, [], told((status) => [[{}, value(status)]]));
    add("runevault_audit_sequence", "Entries of the audit trail so far", ({ sequence }) => sequence);
    add("runevault_audit_queue", "Requests whose line waits for a commit", ({ queued }) => queued);
    add("runevault_audit_behind", "Lines that the audit file lacks", ({ behind }) => behind);
    const head = told(({ hash }) => [[{ hash }, 1]]);
    this.#gauge("runevault_audit_head_info", "SHA-256 of the trail's last line", ["hash"], head);
    const trouble = told(({ fileTrouble, mirrorTrouble }) => [
      [{ sink: "file" }, Number(fileTrouble !== null)],
      [{ sink: "second" }, Number(mirrorTrouble !== null)],
    ]);
    this.#gauge("runevault_audit_trouble", "1 while a place of the trail takes no lines", ["sink"], trouble);
    new Counter({
      name: "runevault_audit_refused_total",
      help: "Requests that were refused because they could not be recorded",
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(trail?.status().refused ?? 0);
      },
    });
  }

  #gauge(name: string, help: string, labelNames: readonly string[], read: Readings): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  #secondsSince(at: number): number {
    return Math.max(0, this.#around.now() - at) / 1000;
  }
}

/** Counts as they come and go. */
function countCutOff(state: Vault["state"]): () => number {
  let count = 0;
  state.watchEntities((after, before) => {
    count += Number(after?.cutOff !== undefined) - Number(before?.cutOff !== undefined);
  });
  return () => count;
}

function countWrapping(state: Vault["state"]): () => number {
  let count = 0;
  state.watch("service_token", (after, before) => {
    count += Number(after?.type === "wrapping") - Number(before?.type === "wrapping");
  });
  return () => count;
}
