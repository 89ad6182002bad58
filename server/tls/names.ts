/**
 * The names a server certificate is made for: which were asked for, and which were found on this host.
 *
 * The difference matters when a name is new and the certificate authority may not sign it: a name somebody asked for
 * stops the start, a name that was merely found (a container has another one at each start) is left out.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import { parseDnsName } from "./dns_name.ts";
import { isLinkLocalAddress, isLoopbackAddress, parseIpAddress } from "./ip_address.ts";

/** What may be quoted: a secret that stands in the wrong line of a file doesn't look so. */
const NAME_LIKE = /^(?=.{1,80}$)[0-9A-Za-z*-]*\.[0-9A-Za-z.*-]*$/;

/** Names a certificate holds, in canonical spelling and without doubles. */
export interface TlsNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** What a server certificate should hold. */
export interface WantedTlsNames {
  /** `localhost`, `127.0.0.1`, `::1` and what the operator named: a certificate without one of these is no use. */
  readonly asked: TlsNames;
  /** The host's own name and addresses, taken along where possible. */
  readonly detected: TlsNames;
}

/** Where the names come from. */
export interface TlsNameSources {
  /** The host's name as the system says it; not a DNS name: left out. */
  readonly hostname: string;
  /** The addresses of the host's interfaces, in the system's order. */
  readonly addresses: readonly string[];
  /** The values of `--tls-hostname`: host names or IP addresses. */
  readonly tlsHostnames: readonly string[];
}

/** A machine that routes for containers can have thousands of addresses; a certificate of that size breaks clients. */
const MAX_DETECTED_ADDRESSES = 32;
const MAX_ASKED_NAMES = 100;

/**
 * Puts together the names for a server certificate.
 *
 * @throws {VaultError} `config_invalid` for a `--tls-hostname` that is neither a host name nor an IP address.
 */
export function collectTlsNames(sources: TlsNameSources): WantedTlsNames {
  const asked = askedNames(sources.tlsHostnames);
  const hostname = parseDnsName(sources.hostname);
  const dnsNames = hostname === null || asked.dnsNames.includes(hostname) ? [] : [hostname];
  const found = reachableAddresses(sources.addresses).filter((text) => !asked.ipAddresses.includes(text));
  return { asked, detected: { dnsNames, ipAddresses: found.slice(0, MAX_DETECTED_ADDRESSES) } };
}

function askedNames(tlsHostnames: readonly string[]): TlsNames {
  if (tlsHostnames.length > MAX_ASKED_NAMES) {
    throw new VaultError("config_invalid", `--tls-hostname was given more than ${MAX_ASKED_NAMES} times`);
  }
  const dnsNames = new Set(["localhost"]);
  const ipAddresses = new Set(["127.0.0.1", "::1"]);
  for (const value of tlsHostnames) {
    const address = parseIpAddress(value);
    if (address === null) dnsNames.add(readAskedDnsName(value));
    else ipAddresses.add(address.text);
  }
  return { dnsNames: [...dnsNames], ipAddresses: [...ipAddresses] };
}

function readAskedDnsName(value: string): string {
  const name = parseDnsName(value);
  if (name !== null) return name;
  const shown = NAME_LIKE.test(value) ? ` "${value}"` : "";
  throw new VaultError("config_invalid", `--tls-hostname${shown} is not a host name`, {
    // A wildcard would let the authority sign every host of that domain.
    hint: 'Write a full host name or an IP address, such as "vault.example.com"; wildcards are not taken',
  });
}

function reachableAddresses(addresses: readonly string[]): string[] {
  const found = addresses.map(parseIpAddress).filter((address) => address !== null);
  const reachable = found.filter((address) => !isLoopbackAddress(address) && !isLinkLocalAddress(address));
  return [...new Set(reachable.map((address) => address.text))];
}
