/**
 * The listening socket of a port.
 *
 * @module
 */

import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Certificate, HttpPortAddress } from "./open_relay.ts";

/**
 * More than the kernel grants, which cuts it to its own limit. Deno 2.7 counts every connection that a unix listener
 * ever had against this, and accepts no more once it is reached.
 */
const BACKLOG = 1_000_000_000;

/** Listens; rejects with what makes that impossible. */
export async function bind(address: HttpPortAddress, certificate: Certificate | undefined): Promise<Server> {
  const listener = makeListener(certificate);
  await listening(listener, "path" in address ? address : { host: address.hostname, port: address.port });
  return listener;
}

/** Under TLS HTTP/2 isn't offered: `head_watch.ts` says why. */
function makeListener(certificate: Certificate | undefined): Server {
  if (certificate === undefined) return createServer({ allowHalfOpen: true, noDelay: true });
  const { certPem: cert, keyPem: key } = certificate;
  return createTlsServer({ cert, key, ALPNProtocols: ["http/1.1"] });
}

/** Listens; rejects where that fails. */
function listening(listener: Server, options: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  listener.once("error", reject).listen({ ...options, backlog: BACKLOG }, () => {
    listener.off("error", reject);
    resolve();
  });
  return promise;
}

/** A secured socket is another than was accepted; both have the same peer. */
export function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
