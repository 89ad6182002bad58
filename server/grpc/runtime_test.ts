import { equal } from "node:assert/strict";
import { createServer } from "node:http2";
import { canServeGrpcOverTls, canSharePorts } from "./runtime.ts";

Deno.test("canServeGrpcOverTls() is true on the runtime that is pinned", () => {
  equal(canServeGrpcOverTls(), true);
});

Deno.test("canServeGrpcOverTls() is false where the HTTP/2 server lacks what grpc-js calls", () => {
  equal(canServeGrpcOverTls(() => ({ on() {} })), false);
});

Deno.test("canSharePorts() is true on the runtime that is pinned", async () => {
  equal(await canSharePorts(), true);
});

Deno.test("canSharePorts() is false where the HTTP/2 server passes over reusePort", async () => {
  const passingOver = () => {
    const server = createServer();
    const listen = server.listen.bind(server) as (options: object, ...rest: unknown[]) => typeof server;
    server.listen =
      ((options: object, ...rest: unknown[]) =>
        listen({ ...options, reusePort: false }, ...rest)) as typeof server.listen;
    return server;
  };
  equal(await canSharePorts(passingOver), false);
});
