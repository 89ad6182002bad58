/**
 * What the runtime under this program can and cannot do for gRPC.
 *
 * @module
 */

import { createSecureServer } from "node:http2";

/**
 * Says whether gRPC can be served over TLS here.
 *
 * grpc-js calls `setTimeout` on its HTTP/2 server. Deno's secure server lacks it before 2.7.13, and a binary can be
 * compiled with such a runtime: it must refuse TLS at start, as otherwise binding throws.
 */
export function canServeGrpcOverTls(makeServer: () => object = createSecureServer): boolean {
  return typeof (makeServer() as { setTimeout?: unknown }).setTimeout === "function";
}
