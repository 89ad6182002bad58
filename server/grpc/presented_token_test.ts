import { equal, throws } from "node:assert/strict";
import { VaultError } from "../../vault/errors.ts";
import { toMetadata } from "./_test_support.ts";
import { presentedToken } from "./presented_token.ts";

const refused = (thrown: unknown) => thrown instanceof VaultError && thrown.kind === "token_invalid";

Deno.test("presentedToken() takes the message's token, the metadata's, or both when equal", () => {
  equal(presentedToken(toMetadata({}), { token: "evt_a" }), "evt_a");
  equal(presentedToken(toMetadata({ authorization: "Bearer evt_a" }), { token: "" }), "evt_a");
  equal(presentedToken(toMetadata({ authorization: "Bearer evt_a" }), { token: "evt_a" }), "evt_a");
  equal(presentedToken(toMetadata({ authorization: "bearer  evt_a" })), "evt_a");
});

Deno.test("presentedToken() refuses two tokens that differ", () => {
  const cases = [["evt_a", "Bearer evt_b"], ["evt_a", "Bearer evt_aa"], ["evt_a", "Bearer"], ["evt_a", "Bearer "]];
  for (const [token, authorization] of cases) {
    throws(() => presentedToken(toMetadata({ authorization: authorization! }), { token }), refused, authorization);
  }
});

Deno.test("presentedToken() refuses two authorization entries, even equal ones", () => {
  const metadata = toMetadata({ authorization: ["Bearer evt_a", "Bearer evt_a"] });
  throws(() => presentedToken(metadata, { token: "evt_a" }), refused);
});

Deno.test("presentedToken() refuses a call without a token", () => {
  throws(() => presentedToken(toMetadata({})), refused);
  throws(() => presentedToken(toMetadata({}), { token: "" }), refused);
  throws(() => presentedToken(toMetadata({ authorization: "Bearer" })), refused);
  throws(() => presentedToken(toMetadata({ authorization: "Basic YTpi" })), refused);
});

Deno.test("presentedToken() leaves other schemes to the proxies that wrote them", () => {
  equal(presentedToken(toMetadata({ authorization: "Basic YTpi" }), { token: "evt_a" }), "evt_a");
});

Deno.test("presentedToken() keeps space around a message's token: it makes the token another one", () => {
  equal(presentedToken(toMetadata({}), { token: " evt_a\n" }), " evt_a\n");
});

Deno.test("presentedToken() refuses a token too long to be one, without reading it", () => {
  const long = "x".repeat(5000);
  throws(() => presentedToken(toMetadata({}), { token: long }), refused);
  throws(() => presentedToken(toMetadata({ authorization: `Bearer ${long}` }), { token: "evt_a" }), refused);
});
