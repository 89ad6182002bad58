import { equal } from "node:assert/strict";
import { canServeGrpcOverTls } from "./runtime.ts";

Deno.test("canServeGrpcOverTls() is true on the runtime that is pinned", () => {
  equal(canServeGrpcOverTls(), true);
});

Deno.test("canServeGrpcOverTls() is false where the HTTP/2 server lacks what grpc-js calls", () => {
  equal(canServeGrpcOverTls(() => ({ on() {} })), false);
});
