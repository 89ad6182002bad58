/**
 * The gRPC listener: binds, serves what it is given, and stops without cutting calls short.
 *
 * What it leaves to its neighbours: which services there are (`server/daemon.ts`), where certificates come from
 * (`server/tls/`), what a call may do (`vault/`).
 *
 * @module
 */

import type { Http2Server } from "node:http2";
import { logVerbosity, Server, type ServerCredentials, setLogVerbosity } from "@grpc/grpc-js";
import { VaultError } from "../../vault/errors.ts";
import type { Logger } from "../../vault/ports.ts";
import type { GrpcService } from "./definition.ts";
import { type GuardOptions, Http2Guard } from "./guarded_http2.ts";
import { sharingPort } from "./runtime.ts";
import { operationNames } from "./unhandled_calls.ts";

/** The contract: old clients send and expect messages of up to 256 MiB. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;
/** How long calls in flight may take to finish once the server stops. */
const STOP_GRACE_MS = 10_000;
/** Of one connection. Clients wait with what is more; without it a connection could open calls without end. */
const MAX_OPEN_CALLS = 1024;
const SILENT: Logger = { log: () => {} };

/** What a gRPC server is made of. */
export interface GrpcServerOptions {
  /** `host:port`; port 0 takes a free one. IPv6 addresses stand in brackets. */
  readonly address: string;
  readonly credentials: ServerCredentials;
  readonly services: readonly GrpcService[];
  /** The largest message accepted and sent, in bytes. Default: 256 MiB. */
  readonly maxMessageBytes?: number;
  /** How long calls in flight may take once {@link GrpcServer.stop} is called. Default: 10 s. */
  readonly stopGraceMs?: number;
  /** Who counts as a stranger, and what strangers may do. Absent: everybody does, under the usual limits. */
  readonly guard?: Partial<GuardOptions>;
  /** Whether servers of other threads listen on the same address. Needs a runtime where `canSharePorts()`. */
  readonly sharesPort?: boolean;
}

/** A server that is listening. */
export interface GrpcServer {
  /** The actual `host:port`. */
  readonly address: string;
  /** What calls that are not authenticated hold at present, in bytes. */
  readonly heldBytes: number;
  /** What answers that are not taken yet are charged at present, in bytes. */
  readonly pendingBytes: number;
  /** See {@link Http2Guard.makeRoom}. */
  makeRoom(peer: string | null): void;
  /** Refuses new calls, waits for those in flight, then cuts what is left. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Opens the gRPC listener.
 *
 * @throws {VaultError} `precondition_failed` when the address cannot be listened on.
 */
export async function createGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  // grpc-js prints header values that it cannot read to standard error: an `authorization` among them.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server(serverOptions(options.maxMessageBytes ?? MAX_MESSAGE_BYTES));
  for (const { definition, handlers } of options.services) server.addService(definition, handlers);
  const guardOptions = { isLive: () => false, logger: SILENT, ...options.guard };
  const guard = new Http2Guard(guardOptions, operationNames(options.services));
  putUnderGuard(server, guard, options.sharesPort ?? false);
  const address = await bind(server, options.address, options.credentials).catch((error) => {
    guard.stop();
    throw error;
  });
  let stopped: Promise<void> | undefined;
  return {
    address,
    get heldBytes() {
      return guard.heldBytes;
    },
    get pendingBytes() {
      return guard.pendingBytes;
    },
    makeRoom: (peer) => guard.makeRoom(peer),
    stop: () => stopped ??= stop(server, address, options).finally(() => guard.stop()),
  };
}

/** What grpc-js makes an HTTP/2 server with, one for each address of the name that it binds. */
interface Http2Maker {
  createHttp2Server(credentials: ServerCredentials): Http2Server;
}

/** The method is private to grpc-js: should another version lack it, nothing must be served without a guard. */
function putUnderGuard(server: Server, guard: Http2Guard, sharesPort: boolean): void {
  const maker = server as unknown as Http2Maker;
  const make = maker.createHttp2Server;
  if (typeof make !== "function") throw new TypeError("This version of grpc-js can't be put under guard");
  maker.createHttp2Server = (credentials) => {
    const http2Server = make.call(server, credentials);
    if (sharesPort) sharingPort(http2Server);
    guard.attach(http2Server);
    return http2Server;
  };
}

/**
 * The server's own keepalive stays unset: on Deno it cuts calls in flight at shutdown, and clients' pings are answered
 * without it, however often they come. Channelz would keep counters of every connection that nobody can read here.
 */
function serverOptions(maxMessageBytes: number) {
  return {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc.enable_channelz": 0,
    "grpc.max_concurrent_streams": MAX_OPEN_CALLS,
  };
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) return resolve(address.replace(/:\d+$/, `:${port}`));
      reject(cannotListen(address, error));
    });
  });
}

function cannotListen(address: string, cause: Error): VaultError {
  const hint = "Choose another address, or stop the program that uses this one";
  return new VaultError("precondition_failed", `Cannot listen for gRPC on "${address}"`, { hint, cause });
}

async function stop(server: Server, address: string, options: GrpcServerOptions): Promise<void> {
  const graceMs = options.stopGraceMs ?? STOP_GRACE_MS;
  for (const service of options.services) service.onStop?.();
  // Says goodbye to every connection at once, and cuts those that are still there when the grace is over. It comes
  // before tryShutdown(), which would count the connections as closed, and forceShutdown() finds none without channelz.
  server.drain(address, graceMs);
  const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  // A peer that never finished its handshake, or never closes its side, ends with the process.
  await within(finished, graceMs + 500);
}

/** Whether `finished` came true before `milliseconds` had passed. */
async function within(finished: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), milliseconds));
  const inTime = await Promise.race([finished.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
