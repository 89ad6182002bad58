/**
 * Listen addresses: reading `host:port`, and telling which ones only this machine can reach.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import { parseDnsName } from "./dns_name.ts";
import { isLoopbackAddress, parseIpAddress } from "./ip_address.ts";

/** Where a listener opens its port. */
export interface ListenAddress {
  /** An IPv4 address, an IPv6 address without brackets, or a host name. */
  readonly host: string;
  /** 0 lets the system pick a free port. */
  readonly port: number;
}

const FORM = 'host:port, such as "127.0.0.1:8200", "[::1]:8200" or "localhost:0", or "off"';
/** A host name of 253 characters, brackets and a port fit. */
const MAX_ADDRESS_CHARS = 300;
/** What may be quoted: a secret that stands in the wrong line of a file doesn't look so. */
const ADDRESS_LIKE = /^(?=.{1,80}$)[0-9A-Za-z.\-[\]]*:[0-9A-Za-z.\-[\]:]*$/;

/**
 * Reads a listen address; null means that the listener is off.
 *
 * @param setting What the value was given as, such as `--grpc-addr`; named in the error.
 * @throws {VaultError} `config_invalid` naming the setting, the form wanted, and the value where it looks like an address.
 */
export function parseListenAddress(value: string, setting: string): ListenAddress | null {
  if (value === "off") return null;
  const parts = value.length > MAX_ADDRESS_CHARS ? null : /^(?:\[([^\]]*)\]|([^:]*)):([0-9]{1,5})$/.exec(value);
  const host = parts === null ? null : readHost(parts[1], parts[2]);
  const port = Number(parts?.[3] ?? "");
  if (host === null || port > 65535) throw malformed(value, setting);
  return { host, port };
}

/** What stands in brackets must be IPv6; what stands bare must not be. */
function readHost(bracketed: string | undefined, bare: string | undefined): string | null {
  if (bracketed !== undefined) {
    const address = parseIpAddress(bracketed);
    return address?.family === 6 ? address.text : null;
  }
  return parseIpAddress(bare ?? "")?.text ?? parseDnsName(bare ?? "");
}

function malformed(value: string, setting: string): VaultError {
  const shown = ADDRESS_LIKE.test(value) ? ` "${value}"` : "";
  return new VaultError("config_invalid", `${setting}${shown} is not an address`, {
    hint: `Write it as ${FORM}`,
  });
}

/** The address as `host:port`, an IPv6 host in brackets. */
export function formatListenAddress(address: ListenAddress): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/**
 * True when only this machine can reach a listener on that host: 127.0.0.0/8, ::1 and `localhost`.
 *
 * `0.0.0.0` and `::` mean every interface and are not loopback. Any other name is not either, whatever it resolves
 * to now: the answer may be another one when the socket is bound. Brackets around an IPv6 address are accepted.
 */
export function isLoopbackHost(host: string): boolean {
  const address = parseIpAddress(host.replace(/^\[(.*)\]$/, "$1"));
  return address === null ? parseDnsName(host) === "localhost" : isLoopbackAddress(address);
}

/**
 * Refuses to serve plaintext where somebody on the network could read the tokens.
 *
 * @param listener What the listener is called in the message, such as `gRPC`.
 * @throws {VaultError} `config_invalid` naming the flag, when the address is off loopback and plaintext was not allowed.
 */
export function assertPlaintextAllowed(listener: string, address: ListenAddress, allowPlaintext: boolean): void {
  if (allowPlaintext || isLoopbackHost(address.host)) return;
  const where = formatListenAddress(address);
  throw new VaultError("config_invalid", `The ${listener} listener on "${where}" would serve tokens in plaintext`, {
    hint: "Keep TLS on, listen on a loopback address, or allow it with --allow-plaintext",
  });
}
