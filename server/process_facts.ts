/**
 * What can be told of the running process: its health, its age, its numbers.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import type { StatusReport } from "../admin/mod.ts";
import type { Clock, Vault } from "../vault/mod.ts";
import { VERSION } from "../version.ts";
import type { Config } from "./config.ts";
import { LoopDelay } from "./loop_delay.ts";
import type { ListenerTls } from "./listener_tls.ts";
import { type CertificateEnd, certificateEnds } from "./tls_watch.ts";
import type { Addresses } from "./listeners.ts";
import type { ProcessReadings } from "./metrics.ts";
import type { Health } from "./monitoring.ts";

const ALL_OFF: Addresses = { grpc: null, api: null, admin: null, admin_socket: null, metrics: null };

/** Facts about this process, for status, health and metrics. */
export class ProcessFacts implements ProcessReadings {
  readonly #config: Config;
  readonly #vault: Vault;
  readonly #tls: ListenerTls | null;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #startedMonotonic: number;
  readonly #loopDelay: LoopDelay;
  #cpu = { at: 0, microseconds: 0 };
  /** Set once the listeners are open. */
  addresses: Addresses = ALL_OFF;
  /** Whether calls are wanted: between `ready` and the stop. */
  ready = false;

  constructor(config: Config, vault: Vault, tls: ListenerTls | null, clock: Clock) {
    this.#config = config;
    this.#vault = vault;
    this.#tls = tls;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#startedMonotonic = clock.monotonic();
    this.#loopDelay = new LoopDelay(() => clock.monotonic());
  }

  version(): string {
    return VERSION;
  }

  health(): Health["status"] {
    return this.healthReport().status;
  }

  /** Degraded: something wants the operator, and every call is still answered. */
  healthReport(): Health {
    const files = this.#vault.files.status().filter((file) => file.reason !== null);
    const told = files.map((file) => `file ${file.name} ${file.state}: ${file.reason}`);
    // Of a file that is off by the operator's own number there is nothing to be done.
    const reasons = told.filter((_reason, i) => files[i]!.state !== "off");
    const trail = this.#vault.trail?.status();
    if (trail?.fileTrouble) reasons.push(`the audit file can't be written: ${trail.fileTrouble}`);
    if (trail?.mirrorTrouble) reasons.push(`the audit trail's second place takes no lines: ${trail.mirrorTrouble}`);
    const { reason } = this.#vault.clockGuard.status();
    if (reason !== null) reasons.push(`clock doubted: ${reason}`);
    if (!this.ready) return { status: "unhealthy", reasons: ["not serving", ...reasons] };
    if (trail?.isRefusing) return { status: "unhealthy", reasons };
    if (reasons.length > 0) return { status: "degraded", reasons };
    return { status: "healthy", reasons: told };
  }

  now(): number {
    return this.#clock.now();
  }

  cpuPercent(): number {
    const { user, system } = cpuUsage();
    const now = { at: this.#clock.monotonic(), microseconds: user + system };
    const before = this.#cpu;
    this.#cpu = now;
    const elapsedMs = now.at - before.at;
    return elapsedMs <= 0 ? 0 : (now.microseconds - before.microseconds) / 10 / elapsedMs;
  }

  memoryBytes(): number {
    return Deno.memoryUsage().rss;
  }

  loopDelaySeconds(): number {
    return this.#loopDelay.takeSeconds();
  }

  /** Stops watching the event loop. */
  stop(): void {
    this.#loopDelay.stop();
  }

  uptimeSeconds(): number {
    return (this.#clock.monotonic() - this.#startedMonotonic) / 1000;
  }

  certificateEnds(): CertificateEnd[] {
    return certificateEnds(this.#tls);
  }

  /** For the admin API. */
  status(): StatusReport {
    const { state, files } = this.#vault;
    const health = this.healthReport();
    return {
      ...this.publicStatus(),
      health: health.status,
      reasons: health.reasons,
      users: state.userCount,
      tokens: state.liveTokenCount,
      roles: state.roles.size,
      secret_version: Math.max(...state.secrets.keys()),
      envelope_v1: this.#config.envelopeV1,
      addresses: this.addresses,
      files: files.status(),
      fhe_key_id: this.#vault.keyRing.active?.keyId ?? null,
      tls: this.#tlsStatus(),
    };
  }

  /** For the monitoring port, which anyone may reach. */
  publicStatus() {
    return {
      version: VERSION,
      runtime: `deno ${Deno.version.deno}`,
      pid: Deno.pid,
      started_at: new Date(this.#startedAt).toISOString(),
      uptime_seconds: Math.floor(this.uptimeSeconds()),
    };
  }

  #tlsStatus(): StatusReport["tls"] {
    if (this.#tls === null) return null;
    return { mode: this.#config.tls, ca_sha256: this.#tls.caSha256, ca_path: this.#tls.caPath };
  }
}
