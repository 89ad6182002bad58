import { deepEqual, equal, match } from "node:assert/strict";
import { withApi } from "../_test_support.ts";

Deno.test("a cubbyhole is written, read, listed and deleted by its token alone", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const [mine, other] = [(await api.login("bob")).client_token, (await api.login("bob")).client_token];
    const send = (method: string, path: string, token: string, body?: unknown) =>
      api.call(method, `cubbyhole/${path}`, { token, ...(body === undefined ? {} : { body }) });
    equal((await send("LIST", "", mine)).status, 404);
    equal((await send("GET", "a/b", mine)).status, 404);
    equal((await send("POST", "a/b", mine, { v: "1", n: { m: [2, null] } })).status, 204);
    equal((await send("PUT", "c", mine, { v: "2" })).status, 204);
    deepEqual((await send("GET", "a/b", mine)).body.data, { v: "1", n: { m: [2, null] } });
    deepEqual((await send("LIST", "", mine)).body.data.keys, ["a/", "c"]);
    deepEqual((await send("GET", "a?list=true", mine)).body.data.keys, ["b"]);
    for (const path of ["a/b", "c"]) equal((await send("GET", path, other)).status, 404);
    equal((await send("DELETE", "c", other)).status, 204);
    deepEqual((await send("GET", "c", mine)).body.data, { v: "2" });
    equal((await send("POST", "c", mine, { w: "3" })).status, 204);
    deepEqual((await send("GET", "c", mine)).body.data, { w: "3" }, "a write replaces");
    equal((await send("DELETE", "c", mine)).status, 204);
    equal((await send("GET", "c", mine)).status, 404);
  });
});

Deno.test("a write without data is refused, and so is one too large", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const { client_token: token } = await api.login("bob");
    for (const body of [undefined, {}, null]) {
      const sent = { token, ...(body === undefined ? {} : { body }) };
      deepEqual((await api.call("POST", "cubbyhole/a", sent)).body.errors, ["missing data fields"]);
    }
    equal((await api.call("POST", "cubbyhole/a", { token, body: { v: "x".repeat(70_000) } })).status, 429);
    equal((await api.call("GET", "cubbyhole/a", { token })).status, 404);
  });
});

Deno.test("logging out empties the cubbyhole in the store", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const { client_token: token } = await api.login("bob");
    await api.call("POST", "cubbyhole/a", { token, body: { v: "1" } });
    equal(api.vault.disk.table("cubbyhole").size, 1);
    await api.call("POST", "auth/token/revoke-self", { token });
    equal(api.vault.disk.table("cubbyhole").size, 0);
  });
});

Deno.test("numbers that a double doesn't hold come back as they were sent, from a cubbyhole and from wrapping", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const { client_token: token } = await api.login("bob");
    const numbers = '{"n":12345678901234567890,"f":0.10,"e":1e400,"deep":[[{"m":-0.0}]]}';
    equal((await api.raw("POST", "cubbyhole/a", numbers, { token })).status, 204);
    match((await api.raw("GET", "cubbyhole/a", undefined, { token })).text, RegExp(`"data":${escaped(numbers)}`));
    const wrap = { token, headers: { "x-vault-wrap-ttl": "60" } };
    const { text } = await api.raw("POST", "sys/wrapping/wrap", numbers, wrap);
    const body = JSON.stringify({ token: JSON.parse(text).wrap_info.token });
    match((await api.raw("POST", "sys/wrapping/unwrap", body, { token })).text, RegExp(`"data":${escaped(numbers)}`));
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
