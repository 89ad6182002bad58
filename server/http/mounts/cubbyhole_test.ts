import { deepEqual, equal } from "node:assert/strict";
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
