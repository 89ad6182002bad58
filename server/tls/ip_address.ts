/**
 * Reads IP addresses strictly and gives each one spelling, so that two of them can be compared as text.
 *
 * Resolvers also take `127.1`, `0177.0.0.1` and `2130706433` for addresses. Those are refused here: whether a
 * listener is on loopback must not hang on which of two readers understood the text.
 *
 * @module
 */

/** An IP address in its one canonical spelling. */
export interface IpAddress {
  readonly family: 4 | 6;
  /** IPv4 as four decimal numbers; IPv6 in lower case and compressed (RFC 5952), without brackets. */
  readonly text: string;
}

const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
/** The longest spelling: six groups of four and a dotted IPv4 tail. */
const MAX_IPV6_CHARS = 45;

/** Reads an address; null for anything else, zone indices (`fe80::1%eth0`) and short IPv4 forms included. */
export function parseIpAddress(text: string): IpAddress | null {
  if (IPV4.test(text)) return { family: 4, text };
  if (text.length > MAX_IPV6_CHARS || !text.includes(":") || !/^[0-9a-fA-F:.]+$/.test(text)) return null;
  const url = URL.parse(`http://[${text}]/`);
  return url === null ? null : { family: 6, text: url.hostname.slice(1, -1) };
}

/** True for 127.0.0.0/8 (also when mapped into IPv6) and ::1. */
export function isLoopbackAddress(address: IpAddress): boolean {
  if (address.family === 4) return address.text.startsWith("127.");
  // The canonical spelling of an address mapped from IPv4 is `::ffff:7f00:1`: 7f is the octet 127.
  return address.text === "::1" || /^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(address.text);
}

/** True for addresses that mean nothing off their own link (169.254.0.0/16, fe80::/10): no client can name them. */
export function isLinkLocalAddress(address: IpAddress): boolean {
  return address.family === 4 ? address.text.startsWith("169.254.") : /^fe[89ab][0-9a-f]:/.test(address.text);
}
