/**
 * What the runtime under this program can and cannot do for gRPC.
 *
 * @module
 */

import { createSecureServer, createServer, type Http2Server } from "node:http2";

/**
 * Says whether gRPC can be served over TLS here.
 *
 * grpc-js calls `setTimeout` on its HTTP/2 server. Deno's secure server lacks it before 2.7.13, and a binary can be
 * compiled with such a runtime: it must refuse TLS at start, as otherwise binding throws.
 */
export function canServeGrpcOverTls(makeServer: () => object = createSecureServer): boolean {
  return typeof (makeServer() as { setTimeout?: unknown }).setTimeout === "function";
}

/**
 * Says whether several servers of this process can listen on one port, which the kernel then shares out among them.
 *
 * Deno 2.7 passes over `reusePort`: the second server finds the port taken.
 */
export async function canSharePorts(makeServer: () => Http2Server = createServer): Promise<boolean> {
  const [first, second] = [makeServer(), makeServer()].map(sharingPort) as [Http2Server, Http2Server];
  try {
    await listen(first, 0);
    const { port } = first.address() as { port: number };
    return await listen(second, port).then(() => true, () => false);
  } finally {
    first.close();
    second.close();
  }
}

/** Makes a server that doesn't listen yet share its port with others that do the same. */
export function sharingPort(server: Http2Server): Http2Server {
  const listenAlone = server.listen.bind(server) as (options: object, ...rest: unknown[]) => Http2Server;
  const listenTogether = (options: object, ...rest: unknown[]) => listenAlone({ ...options, reusePort: true }, ...rest);
  server.listen = listenTogether as Http2Server["listen"];
  return server;
}

function listen(server: Http2Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1" }, () => resolve());
  });
}
