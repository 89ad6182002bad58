/**
 * Where a port keeps the sockets of the servers behind it.
 *
 * @module
 */

/** The kernel takes no longer path for a unix socket (`sun_path`, unix(7)). */
const MAX_SOCKET_PATH_BYTES = 100;
/** As long as the names in it become: a listener's, a number, `.http`. */
const LONGEST_NAME = "/admin_socket.1000000.http";

/** A folder of sockets. */
export interface SocketFolder {
  readonly path: string;
  /** Whether it was made for this and goes with it. */
  readonly isTemporary: boolean;
}

/** The folder that is wanted; a temporary one where none is, or its path is too long for sockets. */
export function socketFolder(wanted: string | undefined): SocketFolder {
  const isTemporary = wanted === undefined ||
    new TextEncoder().encode(wanted + LONGEST_NAME).length > MAX_SOCKET_PATH_BYTES;
  return { path: isTemporary ? Deno.makeTempDirSync({ prefix: "runevault-" }) : wanted, isTemporary };
}
