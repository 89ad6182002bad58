/**
 * The two listeners of the admin API: a loopback TCP port, and a unix socket that only its owner may open.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import type { Logger } from "../vault/ports.ts";
import type { AdminHandler } from "./app.ts";
import type { AdminDoor } from "./guard.ts";
import { KeptServer } from "./kept_server.ts";
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

const LOOPBACK = /^(localhost|127(\.[0-9]{1,3}){3}|::1)$/;

/**
 * Listens on a loopback address.
 *
 * @throws {VaultError} `config_invalid` for an address that other machines reach, or that is taken.
 */
export function listenAdminTcp(address: AdminAddress, handler: AdminHandler, logger: Logger): AdminListener {
  assertLoopback(address.hostname);
  let { port } = address;
  const hostname = address.hostname === "localhost" ? "127.0.0.1" : address.hostname;
  const kept = new KeptServer<Deno.NetAddr>(
    (signal) => {
      const door = { kind: "tcp" as const, hostname, port };
      const server = Deno.serve({ hostname, port, signal, ...quiet }, (request) => handler(request, door));
      // From here on this port is ours: a listener that comes back must be found where the address file says.
      port = door.port = server.addr.port;
      return server;
    },
    logger,
    "admin",
  );
  const bound = opened(() => kept.start(), `${address.hostname}:${address.port}`);
  return { address: joinAddress(bound.hostname, bound.port), shutdown: (graceMs) => kept.shutdown(graceMs) };
}

/**
 * Listens on a unix socket with mode 0600. A socket file that a dead process left is replaced.
 *
 * @throws {VaultError} `config_invalid` when a process answers there, or the path cannot be used.
 */
export async function listenAdminSocket(path: string, handler: AdminHandler, logger: Logger): Promise<AdminListener> {
  await clearStaleSocket(path);
  const door: AdminDoor = { kind: "unix" };
  const kept = new KeptServer<Deno.UnixAddr>(
    (signal) => {
      return withOwnerOnlyMask(() => Deno.serve({ path, signal, ...quiet }, (request) => handler(request, door)));
    },
    logger,
    "admin_socket",
  );
  opened(() => kept.start(), path);
  return { address: path, shutdown: (graceMs) => kept.shutdown(graceMs) };
}

/** `host:port` as in addresses, IPv6 in brackets. */
function joinAddress(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

const quiet = {
  onListen: () => {},
  onError: () => new Response(null, { status: 500 }),
};

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

function opened<T>(open: () => T, where: string): T {
  try {
    return open();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("config_invalid", `The admin API can't listen on ${where}: ${why}`, { cause });
  }
}
