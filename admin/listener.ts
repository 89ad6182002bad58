/**
 * The two listeners of the admin API: a loopback TCP port, and a unix socket that only its owner may open.
 *
 * @module
 */

import { HttpPort, listenFailure, type RelayThread } from "../listeners/mod.ts";
import { VaultError } from "../vault/errors.ts";
import type { Logger } from "../vault/ports.ts";
import type { AdminHandler } from "./app.ts";
import type { AdminDoor } from "./guard.ts";
import { clearStaleSocket } from "./socket_file.ts";

/** An open listener. */
export interface AdminListener {
  /** `127.0.0.1:8081` with the actual port, or the path of the socket. */
  readonly address: string;
  /** Waits for the calls in flight, `graceMs` at most. Never rejects. */
  shutdown(graceMs: number): Promise<void>;
}

/** Where to listen over TCP; port 0 picks a free one. */
export interface AdminAddress {
  readonly hostname: string;
  readonly port: number;
}

/** Operators mostly come by the socket. The identity API needs the descriptors that they leave: see its listener. */
const TCP_PLACES = { places: 48, placesInside: 12 };
const SOCKET_PLACES = { places: 64, placesInside: 16 };
const LOOPBACK = /^(localhost|127(\.[0-9]{1,3}){3}|::1)$/;

/**
 * Listens on a loopback address.
 *
 * @param thread Where the connections are relayed; see `HttpPortOptions`.
 * @throws {VaultError} `config_invalid` for an address that other machines reach, or that is taken.
 */
export async function listenAdminTcp(
  { hostname: wanted, port }: AdminAddress,
  handler: AdminHandler,
  logger: Logger,
  thread?: RelayThread,
): Promise<AdminListener> {
  assertLoopback(wanted);
  const hostname = wanted === "localhost" ? "127.0.0.1" : wanted;
  const door = { kind: "tcp" as const, hostname, port };
  const options = {
    name: "admin",
    logger,
    thread,
    ...TCP_PLACES,
    onError,
    handler: (request: Request) => handler(request, door),
  };
  const opened = await HttpPort.open({ hostname, port }, options).catch((cause) => {
    throw cannotListen(`${wanted}:${port}`, cause);
  });
  door.port = opened.port;
  return { address: joinAddress(hostname, door.port), shutdown: (graceMs) => opened.shutdown(graceMs) };
}

/** A unix socket, and who may open it besides its owner. */
export interface AdminSocketAddress {
  readonly path: string;
  /** The number of a group; absent: nobody. Its members then say who they are by a token each. */
  readonly groupId?: number | undefined;
}

/**
 * Listens on a unix socket with mode 0600, or 0660 for a group. A socket file that a dead process left is replaced.
 *
 * @param folder Where the listener may keep a socket of its own; see `HttpPortOptions`.
 * @throws {VaultError} `config_invalid` when a process answers there, or the path cannot be used.
 */
export async function listenAdminSocket(
  { path, groupId }: AdminSocketAddress,
  handler: AdminHandler,
  logger: Logger,
  folder?: string,
): Promise<AdminListener> {
  await clearStaleSocket(path);
  const door: AdminDoor = { kind: "unix", isShared: groupId !== undefined };
  const options = {
    name: "admin_socket",
    logger,
    ...SOCKET_PLACES,
    folder,
    onError,
    handler: (request: Request) => handler(request, door),
  };
  const opened = await withOwnerOnlyMask(() => HttpPort.open({ path }, options)).catch((cause) => {
    throw cannotListen(path, cause);
  });
  if (groupId !== undefined) await openToGroup(path, groupId, opened);
  return { address: path, shutdown: (graceMs) => opened.shutdown(graceMs) };
}

/** The group first: a mode set before it would open the socket to another one for a moment. */
async function openToGroup(path: string, groupId: number, opened: HttpPort): Promise<void> {
  try {
    await Deno.chown(path, null, groupId);
    await Deno.chmod(path, 0o660);
  } catch (cause) {
    await opened.shutdown(0);
    throw new VaultError("config_invalid", `The admin socket ${path} can't be given to the group ${groupId}`, {
      hint: "run the server as a member of that group",
      cause,
    });
  }
}

/** `host:port` as in addresses, IPv6 in brackets. */
function joinAddress(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** The app answers for its own failures; what fails beside it has no body. */
function onError(): Response {
  return new Response(null, { status: 500 });
}

function assertLoopback(hostname: string): void {
  if (LOOPBACK.test(hostname)) return;
  throw new VaultError("config_invalid", `The admin API does not listen on ${JSON.stringify(hostname)}`, {
    hint: "give a loopback address, such as --admin-addr 127.0.0.1:8081",
  });
}

/**
 * The mask is the process's, so it must be back before anything else runs: binding is synchronous, and a mode set
 * after binding would leave the socket open to others for a moment.
 */
function withOwnerOnlyMask<T>(bind: () => T): T {
  const before = Deno.umask(0o177);
  try {
    return bind();
  } finally {
    Deno.umask(before);
  }
}

function cannotListen(where: string, cause: unknown): VaultError {
  const { reason, hint } = listenFailure(cause);
  return new VaultError("config_invalid", `The admin API can't listen on ${where}: ${reason}`, {
    hint: `${hint}, by --admin-addr or --admin-socket`,
    cause,
  });
}
