/**
 * Where the running server is: what the caller said, else what the data folder says.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/** A place where an admin API may listen. */
export type AdminTarget =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number };

/** How to find the server. An explicit address or socket is used alone. */
export interface TargetOptions {
  readonly dataDir: string;
  /** `127.0.0.1:8081` */
  readonly adminAddr?: string;
  readonly adminSocket?: string;
}

const ADDRESS = /^(?:\[(?<v6>[0-9a-f:]+)\]|(?<name>[^:[\]]+)):(?<port>[0-9]{1,5})$/i;
const LOOPBACK = /^(localhost|127(\.[0-9]{1,3}){3}|::1)$/i;

/** What a server that runs says of itself; a listener that is off is null. */
interface AddressFile {
  readonly admin: string | null;
  readonly admin_socket: string | null;
}

/**
 * The places to try, in order: an explicit one alone, else the socket and then the TCP address that the server wrote
 * to `<data>/addresses.json`; without that file, `<data>/admin.sock`.
 *
 * @throws {VaultError} `usage` for an address that is none, `unreachable` when the data folder can't be read.
 */
export async function adminTargets(options: TargetOptions): Promise<readonly AdminTarget[]> {
  if (options.adminAddr !== undefined) return [parseAdminAddress(options.adminAddr)];
  if (options.adminSocket !== undefined) return [{ kind: "unix", path: options.adminSocket }];
  const file = await readAddressFile(options.dataDir);
  if (file === null) return [{ kind: "unix", path: `${options.dataDir}/admin.sock` }];
  return [
    ...(file.admin_socket === null ? [] : [{ kind: "unix" as const, path: file.admin_socket }]),
    ...(file.admin === null ? [] : [parseAdminAddress(file.admin)]),
  ];
}

/**
 * Parses `host:port` of this machine. Anything else is refused: the admin API speaks no TLS, and the token would be
 * read on the way.
 *
 * @throws {VaultError} `usage`.
 */
export function parseAdminAddress(text: string): AdminTarget {
  const match = ADDRESS.exec(text);
  const hostname = match?.groups?.["v6"] ?? match?.groups?.["name"] ?? "";
  const port = Number(match?.groups?.["port"]);
  if (LOOPBACK.test(hostname) && port > 0 && port < 65_536) return { kind: "tcp", hostname, port };
  throw new VaultError("usage", `${JSON.stringify(text.slice(0, 80))} is no admin address of this machine`, {
    hint: "give host and port, such as --admin-addr 127.0.0.1:8081",
  });
}

/** A target as people write it. */
export function showTarget(target: AdminTarget): string {
  if (target.kind === "unix") return target.path;
  return target.hostname.includes(":") ? `[${target.hostname}]:${target.port}` : `${target.hostname}:${target.port}`;
}

async function readAddressFile(dataDir: string): Promise<AddressFile | null> {
  const path = `${dataDir}/addresses.json`;
  const text = await readIfThere(path);
  if (text === null) return null;
  const file = parseAddressFile(text);
  if (file !== null) return file;
  throw new VaultError("unreachable", `${path} does not say where the server is`, {
    hint: "give --admin-socket or --admin-addr",
  });
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw new VaultError("unreachable", `${path} can't be read`, {
      hint: "run this as the user that the server runs as, or with sudo",
      cause,
    });
  }
}

function parseAddressFile(text: string): AddressFile | null {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null) return null;
  const { admin = null, admin_socket = null } = value as Record<string, unknown>;
  return isTextOrNull(admin) && isTextOrNull(admin_socket) ? { admin, admin_socket } : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}
