/**
 * Who may speak to the admin API: the checks before any route is looked at.
 *
 * A loopback port is reachable by every local user and by every web page that a local browser opens. Hence three
 * checks: `Host` must name this listener (a page whose name was rebound to 127.0.0.1 sends its own name), `Origin`
 * must be this listener's own (another site's page), and a token must be there (another user, `operator.ts`).
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/** The listener that a request came through. */
export type AdminDoor =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | {
    readonly kind: "unix";
    /** Whether others than the server's own user may open it. */
    readonly isShared?: boolean;
  };

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?$/;
const LOCAL_NAMES: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Refuses requests that another web site caused.
 *
 * @throws {VaultError} `scope_denied`.
 */
export function assertOwnPlace(headers: Headers, door: AdminDoor): void {
  const host = headers.get("host")?.toLowerCase();
  if (!isOwnHost(host, door)) {
    throw new VaultError("scope_denied", "The Host header does not name this listener", {
      hint: "ask for http://localhost or http://127.0.0.1 with the admin port",
    });
  }
  const origin = headers.get("origin");
  // Browsers that send Sec-Fetch-Site say it on requests without Origin too, such as <img src>.
  const site = headers.get("sec-fetch-site") ?? "none";
  const foreignSite = site !== "none" && site !== "same-origin";
  if (foreignSite || (origin !== null && origin.toLowerCase() !== `http://${host}`)) {
    throw new VaultError("scope_denied", "Requests from other web sites are refused");
  }
}

/** A unix socket has no name of its own: clients put there what they like, and a browser cannot reach it. */
function isOwnHost(host: string | undefined, door: AdminDoor): boolean {
  if (host === undefined) return door.kind === "unix";
  const match = HOST.exec(host);
  if (match === null) return false;
  const name = match[1]!;
  if (door.kind === "unix") return LOCAL_NAMES.has(name);
  const isOurs = LOCAL_NAMES.has(name) || name === bracketed(door.hostname);
  return isOurs && Number(match[2] ?? 80) === door.port;
}

function bracketed(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
