import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { type Answered, type Sent, type TestApi, withApi } from "../_test_support.ts";

const BAD_TOKEN = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";
const DENIED = "1 error occurred:\n\t* permission denied\n\n";

/** `auth/token/…` with a token. */
function token(api: TestApi, by: string) {
  return (method: string, path: string, body?: unknown, more: Sent = {}): Promise<Answered> =>
    api.call(method, `auth/token/${path}`, { token: by, ...(body === undefined ? {} : { body }), ...more });
}

async function root(api: TestApi): Promise<string> {
  return (await api.vault.vault.engine.rootTokens.make()).token;
}

const refusal = ({ status, body }: Answered) => [status, body?.errors?.[0]];

Deno.test("a created token's auth block is as clients know it, whatever the verb", async () => {
  await withApi(async (api) => {
    await api.policy("a", `path "x" { capabilities = ["read"] }`);
    const send = token(api, await root(api));
    const { status, body } = await send("POST", "create", { policies: ["a"], ttl: "1h", meta: { k: "v" } });
    equal(status, 200);
    const { client_token, accessor, ...auth } = body.auth;
    match(client_token, /^hvs\.[0-9A-Za-z]{24,}$/);
    match(accessor, /^[0-9A-Za-z]{24}$/);
    deepEqual(auth, {
      policies: ["a", "default"],
      token_policies: ["a", "default"],
      metadata: { k: "v" },
      lease_duration: 3600,
      renewable: true,
      entity_id: "",
      token_type: "service",
      orphan: false,
      mfa_requirement: null,
      num_uses: 0,
    });
    deepEqual([body.data, body.wrap_info, body.warnings, body.lease_id], [null, null, null, ""]);
    equal((await send("PUT", "create", { policies: ["a"] })).status, 200);
    equal((await send("GET", "create")).status, 405);
  });
});

Deno.test("the CLI's body, with zero and empty for what it leaves open, asks for nothing", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    await api.policy("maker", `path "auth/token/create" { capabilities = ["create", "update"] }`);
    await api.must("POST", "auth/userpass/users/bob", { policies: ["maker"] });
    const send = token(api, (await api.login("bob")).client_token);
    const cli = { ttl: "0s", explicit_max_ttl: "0s", period: "0s", display_name: "", num_uses: 0, renewable: true };
    const { status, body } = await send("POST", "create", {
      ...cli,
      type: "service",
      entity_alias: "",
      policies: null,
    });
    deepEqual([status, body.warnings], [200, null]);
    deepEqual([body.auth.policies, body.auth.lease_duration], [["default", "maker"], 2_764_800]);
    const { data } = (await token(api, body.auth.client_token)("GET", "lookup-self")).body;
    deepEqual([data.display_name, data.meta, data.entity_id === ""], ["token", null, false]);
  });
});

Deno.test("a look-up tells what is to be told, of oneself, of another, and by an accessor, alike", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const made = (await send("POST", "create", { policies: ["a"], ttl: 600, period: 300, num_uses: 0 })).body.auth;
    api.vault.clock.advance(60_500);
    const own = (await token(api, made.client_token)("GET", "lookup-self")).body.data;
    const { creation_time, issue_time, expire_time, ...facts } = own;
    equal(creation_time, Math.floor(Date.parse(issue_time) / 1000));
    equal(Date.parse(expire_time) - Date.parse(issue_time), 300_000);
    deepEqual(facts, {
      accessor: made.accessor,
      creation_ttl: 300,
      display_name: "token",
      entity_id: "",
      explicit_max_ttl: 0,
      id: made.client_token,
      meta: null,
      num_uses: 0,
      orphan: false,
      path: "auth/token/create",
      policies: ["a", "default"],
      period: 300,
      renewable: true,
      ttl: 239,
      type: "service",
    });
    deepEqual((await send("POST", "lookup", { token: made.client_token })).body.data, own);
    deepEqual((await send("GET", `lookup?token=${made.client_token}`)).body.data, own);
    const { accessor } = made;
    deepEqual((await send("POST", "lookup-accessor", { accessor })).body.data, { ...own, id: "" });
  });
});

Deno.test("root's look-up has no end, no lease and no renewal", async () => {
  await withApi(async (api) => {
    const { data } = (await token(api, await root(api))("GET", "lookup-self")).body;
    deepEqual([data.ttl, data.creation_ttl, data.expire_time, data.path, data.orphan], [
      0,
      0,
      null,
      "auth/token/root",
      true,
    ]);
    for (const absent of ["renewable", "issue_time", "period", "role", "bound_cidrs", "last_renewal"]) {
      equal(absent in data, false, absent);
    }
  });
});

Deno.test("a limited token is looked up to its last use, which reads 0, then is unknown", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const { client_token } = (await send("POST", "create", { policies: ["default"], num_uses: 2 })).body.auth;
    const self = () => token(api, client_token)("GET", "lookup-self");
    equal((await self()).body.data.num_uses, 1);
    equal((await self()).body.data.num_uses, 0);
    deepEqual(refusal(await self()), [403, BAD_TOKEN]);
    deepEqual(refusal(await send("POST", "lookup", { token: client_token })), [
      403,
      "1 error occurred:\n\t* bad token\n\n",
    ]);
  });
});

Deno.test("a request that the policies deny costs a use too", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const { client_token } = (await send("POST", "create", { policies: ["default"], num_uses: 1 })).body.auth;
    deepEqual(refusal(await api.call("GET", "sys/mounts", { token: client_token })), [403, DENIED]);
    deepEqual(refusal(await token(api, client_token)("GET", "lookup-self")), [403, BAD_TOKEN]);
  });
});

Deno.test("unknown tokens and accessors are 403 on a look-up, 400 on a renewal, 204 on a revocation", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const rows: [string, unknown, number, RegExp][] = [
      ["lookup", { token: "x" }, 403, /bad token/],
      ["lookup-accessor", { accessor: "x" }, 403, /invalid accessor/],
      ["lookup-accessor", {}, 400, /^missing accessor$/],
      ["renew", { token: "x" }, 400, /^token not found$/],
      ["renew", {}, 400, /^missing token ID$/],
      ["renew-accessor", {}, 400, /^missing accessor$/],
      ["revoke", {}, 400, /^missing token ID$/],
      ["revoke-accessor", {}, 400, /^missing accessor$/],
      ["revoke-orphan", { token: "x" }, 400, /^token to revoke not found$/],
    ];
    for (const [path, body, status, message] of rows) {
      const answer = await send("POST", path, body);
      equal(answer.status, status, path);
      match(answer.body.errors[0], message);
    }
    equal((await send("POST", "revoke", { token: "x" })).status, 204);
    equal((await send("POST", "revoke-accessor", { accessor: "x" })).status, 204);
    equal((await send("POST", "revoke/x", {})).status, 404, "no token in a path");
    equal((await send("GET", "lookup/x")).status, 404);
  });
});

Deno.test("renewals answer an auth block with the new life, without a token where only its accessor was shown", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const made = (await send("POST", "create", { policies: ["default"], ttl: 600 })).body.auth;
    const self = await token(api, made.client_token)("PUT", "renew-self", { increment: "20m" });
    deepEqual([self.body.auth.client_token, self.body.auth.lease_duration], [made.client_token, 1200]);
    const other = await send("PUT", "renew", { token: made.client_token, increment: 0 });
    deepEqual([other.body.auth.client_token, other.body.auth.lease_duration], [made.client_token, 1200]);
    const by = await send("POST", "renew-accessor", { accessor: made.accessor, increment: 60 });
    deepEqual([by.body.auth.client_token, by.body.auth.lease_duration], ["", 60]);
    api.vault.clock.advance(1000);
    const { data } = (await token(api, made.client_token)("GET", "lookup-self")).body;
    deepEqual([data.ttl, data.creation_ttl, typeof data.last_renewal, typeof data.last_renewal_time], [
      59,
      600,
      "string",
      "number",
    ]);
    match((await token(api, made.client_token)("PUT", "renew-self", { increment: -1 })).body.errors[0], /increment/);
  });
});

Deno.test("a token's last use doesn't renew it", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const { client_token } = (await send("POST", "create", { policies: ["default"], num_uses: 1 })).body.auth;
    deepEqual(refusal(await token(api, client_token)("POST", "renew-self", {})), [400, "token not found"]);
  });
});

Deno.test("a login whose user has other policies since is not renewed, as a failure of the method, and lives on", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    const { client_token } = await api.login("alice");
    await api.must("POST", "auth/userpass/users/alice/policies", { token_policies: "other" });
    const { status, body } = await token(api, client_token)("POST", "renew-self", {});
    equal(status, 500);
    match(body.errors[0], /^1 error occurred:\n\t\* failed to renew entry: policies have changed, not renewing /);
    equal((await token(api, client_token)("GET", "lookup-self")).status, 200);
  });
});

Deno.test("a deleted login renews nothing: 204, and the token lives to its end", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const { client_token } = await api.login("bob");
    api.vault.vault.engine.renewal.registerLogins("userpass", { limitsOf: () => null });
    equal((await token(api, client_token)("POST", "renew-self", {})).status, 204);
    equal((await token(api, client_token)("GET", "lookup-self")).status, 200);
  });
});

Deno.test("logging out with an empty form ends the token and its children, and nobody else's", async () => {
  await withApi(async (api) => {
    const rootToken = await root(api);
    const parent =
      (await token(api, rootToken)("POST", "create", { policies: ["default", "m"] })).body.auth.client_token;
    await api.policy("m", `path "auth/token/create" { capabilities = ["update"] }`);
    const child = (await token(api, parent)("POST", "create", {})).body.auth.client_token;
    const form = { headers: { "content-type": "application/x-www-form-urlencoded" } };
    equal((await token(api, parent)("POST", "revoke-self", undefined, form)).status, 204);
    for (const gone of [parent, child]) {
      deepEqual(refusal(await token(api, gone)("GET", "lookup-self")), [403, BAD_TOKEN]);
    }
    equal((await token(api, rootToken)("GET", "lookup-self")).status, 200);
  });
});

Deno.test("revoke-orphan without sudo is refused as clients know it, and ends nothing", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    await api.policy("p", `path "auth/token/revoke-orphan" { capabilities = ["update"] }`);
    await api.must("POST", "auth/userpass/users/bob", { token_policies: "p" });
    const [mine, other] = [(await api.login("bob")).client_token, (await api.login("bob")).client_token];
    const body = { token: other };
    const { status, body: answered } = await api.call("POST", "auth/token/revoke-orphan", { token: mine, body });
    deepEqual([status, answered.errors], [400, ["root or sudo privileges required to revoke and orphan"]]);
    equal((await api.call("GET", "auth/token/lookup-self", { token: other })).status, 200);
  });
});

Deno.test("revoking by token or accessor ends descendants; revoke-orphan spares them", async () => {
  await withApi(async (api) => {
    const rootToken = await root(api);
    const send = token(api, rootToken);
    await api.policy("m", `path "auth/token/create" { capabilities = ["update"] }`);
    const pair = async () => {
      const parent = (await send("POST", "create", { policies: ["m"] })).body.auth;
      return [parent, (await token(api, parent.client_token)("POST", "create", {})).body.auth] as const;
    };
    const status = async (one: { client_token: string }) =>
      (await token(api, one.client_token)("GET", "lookup-self")).status;
    const [first, firstChild] = await pair();
    equal((await send("PUT", "revoke", { token: first.client_token })).status, 204);
    deepEqual([await status(first), await status(firstChild)], [403, 403]);
    const [second, secondChild] = await pair();
    equal((await send("POST", "revoke-accessor", { accessor: second.accessor })).status, 204);
    deepEqual([await status(second), await status(secondChild)], [403, 403]);
    const [third, thirdChild] = await pair();
    equal((await send("PUT", "revoke-orphan", { token: third.client_token })).status, 204);
    deepEqual([await status(third), await status(thirdChild)], [403, 200]);
    equal((await token(api, thirdChild.client_token)("GET", "lookup-self")).body.data.orphan, true);
  });
});

Deno.test("accessors are listed for sudo alone, and are no tokens", async () => {
  await withApi(async (api) => {
    const rootToken = await root(api);
    const send = token(api, rootToken);
    await api.policy("l", `path "auth/token/accessors" { capabilities = ["list"] }`);
    await api.policy("s", `path "auth/token/accessors*" { capabilities = ["list", "sudo"] }`);
    const without = (await send("POST", "create", { policies: ["l"] })).body.auth.client_token;
    const sudo = (await send("POST", "create", { policies: ["s"] })).body.auth.client_token;
    deepEqual(refusal(await token(api, without)("LIST", "accessors")), [403, DENIED]);
    const { keys } = (await token(api, sudo)("LIST", "accessors")).body.data;
    equal(keys.length, 3);
    for (const accessor of keys) deepEqual(refusal(await token(api, accessor)("GET", "lookup-self")), [403, BAD_TOKEN]);
  });
});

Deno.test("the default policy makes no tokens", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const send = token(api, (await api.login("bob")).client_token);
    for (const path of ["create", "create-orphan", "create/r", "revoke", "lookup", "renew", "tidy"]) {
      deepEqual(refusal(await send("POST", path, {})), [403, DENIED], path);
    }
  });
});

Deno.test("sudo on the path is what lets a caller give policies that it hasn't, and never root", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    await api.policy("plain", `path "auth/token/create" { capabilities = ["update"] }`);
    await api.policy("sudo", `path "auth/token/create" { capabilities = ["update", "sudo"] }`);
    const [plain, sudo] = await Promise.all(
      ["plain", "sudo"].map(async (name) =>
        token(api, (await send("POST", "create", { policies: [name] })).body.auth.client_token)
      ),
    );
    deepEqual(refusal(await plain!("POST", "create", { policies: ["other"] })), [
      400,
      "child policies must be subset of parent",
    ]);
    const given = (await sudo!("POST", "create", { policies: ["other"], period: "1h", id: "chosen-by-sudo" })).body;
    deepEqual(given.auth.policies, ["default", "other"]);
    equal(given.warnings.length, 2, "no such policy, a chosen id");
    for (const path of ["create", "create-orphan"]) {
      notEqual((await sudo!("POST", path, { policies: ["root"] })).status, 200);
    }
    deepEqual(refusal(await plain!("POST", "create", { no_parent: true })), [
      400,
      "root or sudo privileges required to create orphan token",
    ]);
  });
});

Deno.test("token roles are written, read, listed and deleted; tokens by them say so", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    equal((await send("LIST", "roles")).status, 404);
    equal((await send("GET", "roles/r")).status, 404);
    const role = { allowed_policies: "A, b", orphan: "true", token_period: "1h", path_suffix: "s" };
    equal((await send("POST", "roles/r", role)).status, 204);
    const { data } = (await send("GET", "roles/r")).body;
    deepEqual([data.name, data.allowed_policies, data.orphan, data.token_period, data.period, data.path_suffix], [
      "r",
      ["a", "b"],
      true,
      3600,
      3600,
      "s",
    ]);
    deepEqual((await send("LIST", "roles")).body.data.keys, ["r"]);
    const { auth } = (await send("POST", "create/r", { policies: ["b"] })).body;
    deepEqual([auth.policies, auth.orphan, auth.lease_duration], [["b", "default"], true, 3600]);
    const own = (await token(api, auth.client_token)("GET", "lookup-self")).body.data;
    deepEqual([own.role, own.period, own.path], ["r", 3600, "auth/token/create/r/s"]);
    equal((await send("POST", "roles/r", { allowed_entity_aliases: ["x"] })).status, 400);
    equal((await send("DELETE", "roles/r")).status, 204);
    deepEqual(refusal(await send("POST", "create/r", {})), [400, "unknown role r"]);
  });
});

Deno.test("an evt token is looked up, counted as its user's, and ends itself", async () => {
  await withApi(async (api) => {
    const evt = await api.vault.issue("alice");
    const send = token(api, evt);
    const { data } = (await send("GET", "lookup-self")).body;
    deepEqual([data.type, data.id, data.policies, data.orphan, data.role, data.meta], [
      "evt",
      "",
      ["default"],
      true,
      "member",
      { username: "alice" },
    ]);
    equal(data.entity_id, api.vault.identify(evt).user.record.entityId);
    deepEqual((await token(api, await root(api))("POST", "lookup", { token: evt })).body.data, data);
    match((await send("POST", "renew-self", {})).body.errors[0], /^lease is not renewable.*token rotate/);
    equal((await send("POST", "revoke-self")).status, 204);
    equal(api.vault.works(evt), false);
    deepEqual(refusal(await send("GET", "lookup-self")), [403, BAD_TOKEN]);
  });
});

Deno.test("a tidy ends what has expired and answers 202", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const { accessor } = (await send("POST", "create", { policies: ["a"], ttl: 10 })).body.auth;
    api.vault.clock.advance(10_000);
    const { status, body } = await send("POST", "tidy");
    deepEqual([status, body.warnings], [202, ["Tidy operation finished"]]);
    equal(api.vault.vault.engine.tokens.index.byAccessor(accessor), undefined);
  });
});

Deno.test("bad fields are 400 that name the field, never the value, and nothing is made", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const count = api.vault.vault.engine.tokens.index.accessors().length;
    const bad: [string, unknown][] = [
      ["ttl", "soon-secret"],
      ["ttl", -5],
      ["num_uses", 1.5],
      ["num_uses", "secret"],
      ["policies", { secret: 1 }],
      ["meta", "secret"],
      ["meta", { k: { secret: 1 } }],
      ["renewable", "secret"],
      ["explicit_max_ttl", "1 secret"],
    ];
    for (const [field, value] of bad) {
      const { status, body } = await send("POST", "create", { [field]: value });
      equal(status, 400, field);
      match(body.errors[0], new RegExp(field));
      equal(body.errors[0].includes("secret"), false, body.errors[0]);
    }
    equal(api.vault.vault.engine.tokens.index.accessors().length, count);
  });
});

Deno.test("revoking an evt token by its text ends it", async () => {
  await withApi(async (api) => {
    const evt = await api.vault.issue("bob");
    equal((await token(api, await root(api))("POST", "revoke", { token: evt })).status, 204);
    equal(api.vault.works(evt), false);
  });
});

Deno.test("where the store fails after a token's last use, the answer comes and the token is spent", async () => {
  await withApi(async (api) => {
    const send = token(api, await root(api));
    const { client_token } = (await send("POST", "create", { policies: ["default"], num_uses: 1 })).body.auth;
    const { store } = api.vault;
    const commit = store.commit.bind(store);
    let commits = 0;
    store.commit = (writes, sequence) => {
      if (++commits === 2) store.failNext();
      return commit(writes, sequence);
    };
    equal((await token(api, client_token)("GET", "lookup-self")).status, 200);
    deepEqual(refusal(await token(api, client_token)("GET", "lookup-self")), [403, BAD_TOKEN]);
  });
});
