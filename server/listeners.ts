/**
 * Opens the process's listeners and closes them again, last opened first.
 *
 * @module
 */

import { type AdminHandler, type AdminParts, createAdminApp, listenAdminSocket, listenAdminTcp } from "../admin/mod.ts";
import { HttpPort, listenFailure, type RelayThread } from "../listeners/mod.ts";
import { type Logger, type RandomSource, VaultError } from "../vault/mod.ts";
import type { Config } from "./config.ts";
import { DESCRIPTORS_LEFT_TO_OTHERS } from "./grpc/connection_table.ts";
import { spareDescriptors } from "./grpc/descriptors.ts";
import { canServeGrpcOverTls } from "./grpc/runtime.ts";
import { type GrpcFaces, openGrpcPort } from "./grpc_port.ts";
import type { ApiHandler } from "./http/api_parts.ts";
import { listenApi } from "./http/listener.ts";
import { answerMonitoring, type MonitoringParts } from "./monitoring.ts";
import type { PreparedTls } from "./listener_tls.ts";
import { groupId } from "./user_groups.ts";
import { formatListenAddress, type ListenAddress } from "./tls/mod.ts";

/** How long requests of the HTTP ports may take to finish at a stop. */
const HTTP_GRACE_MS = 2000;
/** A few collectors and balancers ask there, one at a time. */
const MONITORING_PLACES = 32;
const MONITORING_PLACES_INSIDE = 8;

/** The actual addresses; null is off. */
export interface Addresses {
  readonly grpc: string | null;
  readonly api: string | null;
  readonly admin: string | null;
  readonly admin_socket: string | null;
  readonly metrics: string | null;
}

/** What the listeners serve. */
export interface Faces {
  readonly grpc: GrpcFaces;
  readonly tls: PreparedTls;
  readonly api: ApiHandler;
  readonly admin: AdminParts;
  readonly monitoring: MonitoringParts;
}

/** Open listeners. */
export class Listeners {
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #logger: Logger;
  readonly #random: RandomSource;
  readonly #relay: RelayThread;

  /** @param relay Where the HTTP ports are relayed; the admin socket, which only its owner may open, is not. */
  constructor(logger: Logger, random: RandomSource, relay: RelayThread) {
    this.#logger = logger;
    this.#random = random;
    this.#relay = relay;
  }

  /**
   * Opens all that are on. gRPC comes last: whoever can call it can also be managed and watched.
   *
   * @throws {VaultError} `config_invalid` naming the address that can't be had; what was opened stays for {@link close}.
   */
  async open(config: Config, faces: Faces): Promise<Addresses> {
    const handler = createAdminApp(faces.admin);
    const [metrics, admin, socket, api] = await allOf(
      config.metrics === null ? null : this.#openMonitoring(config.metrics, faces.monitoring),
      config.admin === null ? null : this.#openAdmin(config.admin, handler),
      config.adminSocket === null ? null : this.#openSocket(config, handler),
      config.api === null ? null : this.#openApi(config.api, faces),
    );
    const grpc = config.grpc === null ? null : await this.#openGrpc(config.grpc, config.workers, faces);
    return { grpc, api, admin, admin_socket: socket, metrics };
  }

  /** Closes all, waiting for calls in flight. */
  async close(): Promise<void> {
    while (this.#closers.length > 0) await this.#closers.pop()!();
  }

  async #openMonitoring(address: ListenAddress, parts: MonitoringParts): Promise<string> {
    const opened = await HttpPort.open({ hostname: address.host, port: address.port }, {
      name: "metrics",
      logger: this.#logger,
      handler: (request) => answerMonitoring(request, parts),
      onError: (error) => this.#answerFailure(error),
      thread: this.#relay,
      places: MONITORING_PLACES,
      placesInside: MONITORING_PLACES_INSIDE,
    }).catch((cause) => {
      throw cannotListen("--metrics-addr", address, cause);
    });
    this.#closers.push(() => opened.shutdown(HTTP_GRACE_MS));
    return formatListenAddress({ host: opened.hostname, port: opened.port });
  }

  #answerFailure(error: unknown): Response {
    this.#logger.log("error", "monitoring_failed", { reason: error instanceof Error ? error.message : "unknown" });
    return new Response(null, { status: 500 });
  }

  async #openAdmin(address: ListenAddress, handler: AdminHandler): Promise<string> {
    const listener = await listenAdminTcp(
      { hostname: address.host, port: address.port },
      handler,
      this.#logger,
      this.#relay,
    );
    this.#closers.push(() => listener.shutdown(HTTP_GRACE_MS));
    return listener.address;
  }

  async #openSocket(config: Config, handler: AdminHandler): Promise<string> {
    const group = config.adminSocketGroup;
    const address = { path: config.adminSocket!, groupId: group === undefined ? undefined : await groupId(group) };
    const listener = await listenAdminSocket(address, handler, this.#logger, config.dataDir);
    this.#closers.push(() => listener.shutdown(HTTP_GRACE_MS));
    return listener.address;
  }

  async #openApi(address: ListenAddress, { api: handler, tls }: Faces): Promise<string> {
    const { host: hostname, port } = address;
    const listener = await listenApi({
      hostname,
      port,
      handler,
      logger: this.#logger,
      tls: tls.api?.material ?? null,
      thread: this.#relay,
      countsTls: canServeGrpcOverTls(),
      morePlaces: (wanted) => spareDescriptors(wanted + DESCRIPTORS_LEFT_TO_OTHERS) - DESCRIPTORS_LEFT_TO_OTHERS,
    }).catch((cause) => {
      throw cannotListen("--api-addr", address, cause);
    });
    this.#closers.push(() => listener.shutdown(HTTP_GRACE_MS));
    return formatListenAddress({ host: listener.hostname, port: listener.port });
  }

  async #openGrpc(address: ListenAddress, workers: number, { grpc, tls }: Faces): Promise<string> {
    const around = { workers, tls: tls.grpc, logger: this.#logger, random: this.#random };
    const port = await openGrpcPort(address, grpc, around).catch((error) => {
      throw cannotListen("--grpc-addr", address, error instanceof VaultError ? error.cause : error);
    });
    this.#closers.push(() => port.stop());
    return port.address;
  }
}

/** Waits for all, also where one fails: what the others open is then known, and can be closed. */
async function allOf<T extends readonly unknown[]>(
  ...openings: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(openings);
  return await Promise.all(openings);
}

function cannotListen(flag: string, address: ListenAddress, cause: unknown): VaultError {
  const { reason, hint } = listenFailure(cause);
  return new VaultError("config_invalid", `Cannot listen on ${flag} ${formatListenAddress(address)}: ${reason}`, {
    hint,
    cause,
  });
}
