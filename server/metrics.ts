/**
 * The metrics: names and labels of Rune-Vault, with real values.
 *
 * @module
 */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Vault } from "../vault/mod.ts";
import { ApiMetrics, type FinishedApiRequest } from "./api_metrics.ts";
import { UserLabels } from "./user_labels.ts";
import { type SurroundingReadings, VaultMetrics } from "./vault_metrics.ts";

const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** One finished call. */
export interface FinishedCall {
  readonly method: string;
  /** A user that exists, or `unknown`. */
  readonly user: string;
  readonly ok: boolean;
  readonly seconds: number;
}

/** What is read when somebody asks for the metrics. */
export interface ProcessReadings extends SurroundingReadings {
  health(): "healthy" | "degraded" | "unhealthy";
  cpuPercent(): number;
  memoryBytes(): number;
  uptimeSeconds(): number;
}

const HEALTH_VALUE = { healthy: 1, degraded: 0.5, unhealthy: 0 } as const;
const DECRYPTING = new Set(["decrypt_scores", "decrypt_metadata"]);
const KEY_METHODS = new Map([["get_public_key", "key_bundle"], ["get_agent_manifest", "agent_manifest"]]);

/** Counts calls and renders the Prometheus text format. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #api: ApiMetrics;
  /** What is measured of the vault itself. */
  readonly vault: VaultMetrics;
  readonly #requests: Counter<"method" | "endpoint" | "status" | "user">;
  readonly #durations: Histogram<"method" | "endpoint">;
  readonly #decryptions: Counter<"status">;
  readonly #decryptionDurations: Histogram;
  readonly #keyAccess: Counter<"key_type" | "status">;
  readonly #users: UserLabels;

  /** @param namesUsers Whether users are told apart. */
  constructor(readings: ProcessReadings, vault: Vault, namesUsers: boolean) {
    this.#users = new UserLabels(namesUsers);
    this.#api = new ApiMetrics(this.#users);
    this.vault = new VaultMetrics(this.#registry, vault, readings);
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: "vault_requests_total",
      help: "Calls answered",
      labelNames: ["method", "endpoint", "status", "user"],
      registers,
    });
    this.#durations = new Histogram({
      name: "vault_request_duration_seconds",
      help: "Time from a call's arrival to its answer",
      labelNames: ["method", "endpoint"],
      buckets: SECONDS_BUCKETS,
      registers,
    });
    this.#decryptions = new Counter({
      name: "vault_decryption_operations_total",
      help: "Calls that decrypt",
      labelNames: ["status"],
      registers,
    });
    this.#decryptionDurations = new Histogram({
      name: "vault_decryption_duration_seconds",
      help: "Time of calls that decrypt",
      buckets: SECONDS_BUCKETS,
      registers,
    });
    this.#keyAccess = new Counter({
      name: "vault_key_access_total",
      help: "Calls that hand out keys",
      labelNames: ["key_type", "status"],
      registers,
    });
    this.#addGauges(readings);
  }

  /** Counts one finished call. */
  observe({ method, user, ok, seconds }: FinishedCall): void {
    const status = ok ? "success" : "error";
    this.#requests.inc({ method, endpoint: "grpc", status, user: this.#users.of(user) });
    this.#durations.observe({ method, endpoint: "grpc" }, seconds);
    if (DECRYPTING.has(method)) {
      this.#decryptions.inc({ status });
      this.#decryptionDurations.observe(seconds);
    }
    const keyType = KEY_METHODS.get(method);
    if (keyType !== undefined) this.#keyAccess.inc({ key_type: keyType, status });
  }

  /** Counts one finished request of the identity API. */
  observeApi(request: FinishedApiRequest): void {
    this.#api.observe(request);
    this.vault.observeApi(request);
  }

  /** The Prometheus text format, version 0.0.4. */
  async render(): Promise<string> {
    return await this.#registry.metrics() + this.#api.render();
  }

  #addGauges(readings: ProcessReadings): void {
    const gauges: [string, string, () => number][] = [
      ["vault_health_status", "1 healthy, 0.5 degraded, 0 unhealthy", () => HEALTH_VALUE[readings.health()]],
      [
        "vault_cpu_usage_percent",
        "CPU of this process since the last reading, 100 a core",
        () => readings.cpuPercent(),
      ],
      ["vault_memory_usage_bytes", "Resident memory", () => readings.memoryBytes()],
      ["vault_uptime_seconds", "Seconds since the start", () => readings.uptimeSeconds()],
    ];
    for (const [name, help, read] of gauges) {
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    }
  }
}
