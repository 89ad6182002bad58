/**
 * How calls and their callers are named in the trail and in the metrics.
 *
 * @module
 */

let lastPeer = { peer: "", address: "" };

/** The address of a peer as grpc-js names it. Calls come in runs by the same connection. */
export function addressOfPeer(peer: string): string {
  if (lastPeer.peer !== peer) lastPeer = { peer, address: addressOf(peer) };
  return lastPeer.address;
}

/** `GetPublicKey` → `get_public_key`. */
export function snakeCase(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

/** Takes off the prefix that a dual-stack socket puts before an IPv4 address. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}

function addressOf(peer: string): string {
  return plainAddress(peer.replace(/:\d+$/, ""));
}
