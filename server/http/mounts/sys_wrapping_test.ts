import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type Answered, type TestApi, withApi } from "../_test_support.ts";

const GONE = "wrapping token is not valid or does not exist";
const MINUTE = { "x-vault-wrap-ttl": "1m0s" };

async function root(api: TestApi): Promise<string> {
  return (await api.vault.vault.engine.rootTokens.make()).token;
}

const refusal = ({ status, body }: Answered) => [status, body?.errors?.[0]];

Deno.test("a wrapped login shows nothing of itself, and is unwrapped by whoever has the wrapping token", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const sent = { body: { password: "bob" }, headers: MINUTE };
    const { status, body } = await api.call("POST", "auth/userpass/login/bob", sent);
    const { token, accessor, wrapped_accessor, creation_time, ...info } = body.wrap_info;
    deepEqual([status, body.auth, body.data, body.request_id], [200, null, null, ""]);
    deepEqual(info, { ttl: 60, creation_path: "auth/userpass/login/bob" });
    equal(Date.parse(creation_time), api.vault.clock.now());
    match(accessor, /^[0-9A-Za-z]{24}$/);
    const unwrapped = (await api.call("PUT", "sys/wrapping/unwrap", { token })).body;
    deepEqual([unwrapped.auth.accessor, unwrapped.auth.metadata], [wrapped_accessor, { username: "bob" }]);
    const self = await api.call("GET", "auth/token/lookup-self", { token: unwrapped.auth.client_token });
    equal(self.status, 200);
    equal((await api.call("PUT", "sys/wrapping/unwrap", { token })).status, 403, "the token is gone");
  });
});

Deno.test("an unwrap with another's token in the header works once, then is 400; without a token it is 403", async () => {
  await withApi(async (api) => {
    const rootToken = await root(api);
    await api.withUsers("bob");
    const { client_token: bob } = await api.login("bob");
    const lookup = await api.call("GET", "auth/token/lookup-self", { token: rootToken });
    const wrapped = await api.call("GET", "auth/token/lookup-self", { token: rootToken, headers: MINUTE });
    const body = { token: wrapped.body.wrap_info.token };
    equal((await api.call("POST", "sys/wrapping/unwrap", { body })).status, 403);
    const unwrapped = await api.call("POST", "sys/wrapping/unwrap", { token: bob, body });
    deepEqual(unwrapped.body.data, lookup.body.data);
    deepEqual(refusal(await api.call("POST", "sys/wrapping/unwrap", { token: bob, body })), [400, GONE]);
    deepEqual(refusal(await api.call("POST", "sys/wrapping/unwrap", { token: bob })), [400, GONE]);
    deepEqual(refusal(await api.call("POST", "sys/wrapping/unwrap", { token: bob, body: { token: bob } })), [
      400,
      GONE,
    ]);
  });
});

Deno.test("a wrapping token is looked up by anybody without being spent, by the body or the header", async () => {
  await withApi(async (api) => {
    const token = await root(api);
    const { wrap_info } = (await api.call("GET", "sys/mounts", { token, headers: MINUTE })).body;
    const wanted = { creation_time: wrap_info.creation_time, creation_ttl: 60, creation_path: "sys/mounts" };
    const body = { token: wrap_info.token };
    deepEqual((await api.call("POST", "sys/wrapping/lookup", { body })).body.data, wanted);
    deepEqual((await api.call("GET", "sys/wrapping/lookup", { token: wrap_info.token })).body.data, wanted);
    deepEqual(refusal(await api.call("POST", "sys/wrapping/lookup", { body: { token } })), [400, GONE]);
    deepEqual(refusal(await api.call("POST", "sys/wrapping/lookup")), [400, GONE]);
    equal((await api.call("POST", "sys/wrapping/unwrap", { token, body })).status, 200);
    deepEqual(refusal(await api.call("POST", "sys/wrapping/lookup", { body })), [400, GONE]);
  });
});

Deno.test("any other request made with a wrapping token spends it, and gets nothing", async () => {
  await withApi(async (api) => {
    const rootToken = await root(api);
    for (const path of ["sys/mounts", "auth/token/lookup-self", "sys/nowhere"]) {
      const { token } = (await api.call("GET", "sys/mounts", { token: rootToken, headers: MINUTE })).body.wrap_info;
      equal((await api.call("GET", path, { token })).status, 403, path);
      deepEqual(refusal(await api.call("POST", "sys/wrapping/unwrap", { token: rootToken, body: { token } })), [
        400,
        GONE,
      ]);
      equal(api.vault.vault.engine.tokens.find(token), undefined);
    }
  });
});

Deno.test("wrap gives back what was sent, and needs the header", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const { client_token: token } = await api.login("bob");
    const body = { a: "1", nested: { b: [true, null, 2.5] }, __proto__x: "y" };
    const wrapped = (await api.call("POST", "sys/wrapping/wrap", { token, body, headers: MINUTE })).body.wrap_info;
    const unwrapped = await api.call("POST", "sys/wrapping/unwrap", { token, body: { token: wrapped.token } });
    deepEqual(unwrapped.body.data, body);
    const bare = await api.call("POST", "sys/wrapping/wrap", { token, body });
    match(refusal(bare)[1], /requires response wrapping/);
    equal(bare.status, 400);
  });
});

Deno.test("rewrap gives a new token and ends the old", async () => {
  await withApi(async (api) => {
    const token = await root(api);
    const first = (await api.call("GET", "sys/mounts", { token, headers: MINUTE })).body.wrap_info;
    const answer = await api.call("POST", "sys/wrapping/rewrap", { token, body: { token: first.token } });
    const second = answer.body.wrap_info;
    deepEqual([second.ttl, second.creation_path], [60, "sys/mounts"]);
    const unwrap = (one: string) => api.call("POST", "sys/wrapping/unwrap", { token, body: { token: one } });
    deepEqual(refusal(await unwrap(first.token)), [400, GONE]);
    ok((await unwrap(second.token)).body.data["sys/"]);
  });
});

Deno.test("refusals, nothing, and what probes read aren't wrapped; a header that says no time is refused", async () => {
  await withApi(async (api) => {
    const token = await root(api);
    const send = (method: string, path: string, headers: Record<string, string> = MINUTE) =>
      api.call(method, path, { token, headers });
    equal((await send("GET", "sys/nowhere")).body.wrap_info, undefined);
    equal((await send("DELETE", "cubbyhole/nothing")).status, 204);
    equal((await send("GET", "sys/health")).body.wrap_info, undefined);
    const before = api.vault.store.asked.length;
    for (const bad of ["soon", "-5s", "1 hour"]) {
      equal((await send("GET", "sys/mounts", { "x-vault-wrap-ttl": bad })).status, 400, bad);
    }
    equal(api.vault.store.asked.length, before);
  });
});

Deno.test("a limited token's last answer can be wrapped, and is there when the token is gone", async () => {
  await withApi(async (api) => {
    const rootToken = await root(api);
    const made = { policies: ["default"], num_uses: 1 };
    const { auth } = (await api.call("POST", "auth/token/create", { token: rootToken, body: made })).body;
    const self = { token: auth.client_token, headers: MINUTE };
    const { wrap_info } = (await api.call("GET", "auth/token/lookup-self", self)).body;
    equal((await api.call("GET", "auth/token/lookup-self", self)).status, 403);
    const body = { token: wrap_info.token };
    const unwrapped = await api.call("POST", "sys/wrapping/unwrap", { token: rootToken, body });
    equal(unwrapped.body.data.accessor, auth.accessor);
  });
});
