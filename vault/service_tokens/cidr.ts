/**
 * Address ranges that tokens are bound to.
 *
 * @module
 */

import { BlockList, isIP } from "node:net";
import { VaultError } from "../errors.ts";

/**
 * Checks ranges in CIDR notation (RFC 4632, RFC 4291 §2.3); a bare address is a range of one.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function checkedCidrs(given: readonly string[]): string[] {
  return given.map((text) => {
    if (parse(text) !== null) return text;
    throw new VaultError("invalid_argument", "error parsing bound CIDRs: not an address range such as 10.0.0.0/8");
  });
}

/** Whether an address lies in one of the ranges; no ranges are all addresses. */
export function isInCidrs(address: string, cidrs: readonly string[]): boolean {
  if (cidrs.length === 0) return true;
  const plain = unmapped(address);
  const family = isIP(plain);
  if (family === 0) return false;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const range = parse(cidr);
    if (range !== null) list.addSubnet(range.address, range.bits, range.family);
  }
  return list.check(plain, family === 4 ? "ipv4" : "ipv6");
}

/** Sockets for both families show an IPv4 peer as `::ffff:192.0.2.1`, and a link-local one with its zone. */
function unmapped(address: string): string {
  const found = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return found === null ? address.replace(/%.*$/, "") : found[1]!;
}

function parse(text: string): { address: string; bits: number; family: "ipv4" | "ipv6" } | null {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return null;
  const most = family === 4 ? 32 : 128;
  if (bits !== undefined && (!/^[0-9]{1,3}$/.test(bits) || Number(bits) > most)) return null;
  return { address, bits: bits === undefined ? most : Number(bits), family: family === 4 ? "ipv4" : "ipv6" };
}
