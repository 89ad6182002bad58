/** What an attack on the room of service tokens found, each as the test that shows it mended. */

import { deepEqual, equal, ok } from "node:assert/strict";
import { isInCidrs } from "../../vault/service_tokens/cidr.ts";
import { matchesGlob } from "../../vault/service_tokens/creation.ts";
import { type TestApi, withApi } from "./_test_support.ts";
import { ownNow } from "../../tests/own_time.ts";

const MAKER = `path "auth/token/*" { capabilities = ["update", "create", "sudo"] }`;
const MINUTE = { "x-vault-wrap-ttl": "60s" };

async function maker(api: TestApi, name = "alice") {
  await api.policy("maker", MAKER);
  await api.withUsers(name);
  await api.must("POST", `auth/userpass/users/${name}`, { policies: ["maker"] });
  return await api.login(name);
}

const self = async (api: TestApi, token: string) => (await api.call("GET", "auth/token/lookup-self", { token })).status;
const make = async (api: TestApi, token: string, path = "create", body: unknown = {}) =>
  (await api.call("POST", `auth/token/${path}`, { token, body })).body.auth;
const root = async (api: TestApi) => (await api.vault.vault.engine.rootTokens.make()).token;
const wrapSelf = async (api: TestApi, token: string): Promise<string> =>
  (await api.call("GET", "auth/token/lookup-self", { token, headers: MINUTE })).body.wrap_info.token;

Deno.test("S6: what an orphan makes (orphan, child, wrapped answer) ends with the entity that made the orphan", async () => {
  await withApi(async (api) => {
    const login = await maker(api);
    const first = await make(api, login.client_token, "create-orphan");
    const second = await make(api, first.client_token, "create-orphan");
    const child = await make(api, first.client_token);
    const wrapped = await wrapSelf(api, first.client_token);
    await api.must("DELETE", `identity/entity/id/${login.entity_id}`);
    const all = [first, second, child].map((auth) => self(api, auth.client_token));
    deepEqual(await Promise.all(all), [403, 403, 403]);
    equal((await api.operator("POST", "sys/wrapping/unwrap", { token: wrapped })).status, 400);
  });
});

Deno.test("S18: what is wrapped counts against the maker's allowance", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const { client_token: token } = await api.login("bob");
    const sent = { token, body: { big: "x".repeat(900_000) }, headers: { "x-vault-wrap-ttl": "768h" } };
    const statuses = new Set<number>();
    for (let i = 0; i < 20; i++) statuses.add((await api.call("POST", "sys/wrapping/wrap", sent)).status);
    ok(statuses.has(429), "18 MB kept for 32 days for one user with the policy `default`");
  });
});

Deno.test("S18: an entity's orphans and wrapping tokens count against its 10,000", async () => {
  await withApi(async (api) => {
    const login = await maker(api);
    const { index } = api.vault.vault.engine.tokens;
    const before = index.countOf(login.entity_id);
    await make(api, login.client_token, "create-orphan");
    await wrapSelf(api, login.client_token);
    equal(index.countOf(login.entity_id), before + 2);
  });
});

Deno.test("S18: an evt token's orphan takes places in its user's window", async () => {
  await withApi(async (api) => {
    await api.policy("maker", MAKER);
    const policies = ["maker"];
    await api.vault.vault.roles.create({ name: "agent", scope: ["get_bundle"], topK: 1, rateLimit: "5/60s", policies });
    const orphan = await make(api, await api.vault.issue("dora", "agent"), "create-orphan");
    const statuses = new Set<number>();
    for (let i = 0; i < 10; i++) statuses.add(await self(api, orphan.client_token));
    ok(statuses.has(429));
  });
});

Deno.test("S18: tokens that a cut-off ended don't count as live", async () => {
  await withApi(async (api) => {
    await api.policy("maker", MAKER);
    const policies = ["maker"];
    await api.vault.vault.roles.create({
      name: "agent",
      scope: ["get_bundle"],
      topK: 1,
      rateLimit: "99999/1s",
      policies,
    });
    const evt = await api.vault.issue("bob", "agent");
    await Promise.all(Array.from({ length: 10_000 }, () => make(api, evt)));
    equal((await api.call("POST", "auth/token/create", { token: evt, body: {} })).status, 429);
    await api.vault.vault.tokens.revoke("bob");
    const next = await api.vault.issue("bob", "agent");
    equal((await api.call("POST", "auth/token/create", { token: next, body: {} })).status, 200);
  });
});

Deno.test("what a revoked evt token caused is ended, with its cubbyholes and leases, not only refused", async () => {
  await withApi(async (api) => {
    await api.policy("maker", MAKER);
    const policies = ["maker"];
    await api.vault.vault.roles.create({
      name: "agent",
      scope: ["get_bundle"],
      topK: 1,
      rateLimit: "999/1s",
      policies,
    });
    const evt = await api.vault.issue("bob", "agent");
    const child = await make(api, evt);
    await api.call("POST", "cubbyhole/a", { token: child.client_token, body: { v: 1 } });
    await api.vault.vault.tokens.revoke("bob");
    await api.vault.vault.engine.tokens.endings.sweep();
    equal(api.vault.vault.engine.tokens.index.byAccessor(child.accessor), undefined);
    equal(api.vault.disk.table("cubbyhole").size, 0);
  });
});

Deno.test("a rotated evt token's cubbyhole is wiped and frees its allowance", async () => {
  await withApi(async (api) => {
    const evt = await api.vault.issue("bob");
    const body = { big: "x".repeat(60_000) };
    equal((await api.call("POST", "cubbyhole/a", { token: evt, body })).status, 204);
    const { token } = await api.vault.vault.tokens.rotate({ user: "bob" });
    equal((await api.call("POST", "cubbyhole/a", { token, body })).status, 204);
  });
});

Deno.test("of two tokens with the same chosen id at once exactly one is made", async () => {
  await withApi(async (api) => {
    const token = await root(api);
    const made = await Promise.all(
      ["a", "b"].map((policy) =>
        api.call("POST", "auth/token/create", { token, body: { id: "chosen-by-us", policies: [policy] } })
      ),
    );
    deepEqual(made.map((answer) => answer.status).sort(), [200, 400]);
  });
});

Deno.test("a role's glob is matched fast, whatever name is asked for", () => {
  // The least of a few: the first is not compiled yet.
  const times = Array.from({ length: 5 }, () => {
    const began = ownNow();
    matchesGlob("*a*a*x", "a".repeat(1_000));
    return ownNow() - began;
  });
  ok(Math.min(...times) < 5, `${Math.min(...times).toFixed(1)} ms for a name of 1,000 letters`);
});

Deno.test("the lifetimes of token/ bind new tokens", async () => {
  await withApi(async (api) => {
    const token = await root(api);
    await api.must("POST", "sys/auth/token/tune", { default_lease_ttl: "30m", max_lease_ttl: "1h" });
    equal((await make(api, token, "create", { policies: ["a"] })).lease_duration, 1800);
    equal((await make(api, token, "create", { policies: ["a"], ttl: "5h" })).lease_duration, 3600);
  });
});

Deno.test("what an evt caller wraps is unwrapped by the wrapping token alone", async () => {
  await withApi(async (api) => {
    const token = await wrapSelf(api, await api.vault.issue("bob"));
    equal((await api.call("PUT", "sys/wrapping/unwrap", { token })).status, 200);
  });
});

Deno.test("S18: renewing again and again leaves one entry in the queue", async () => {
  await withApi(async (api) => {
    const { client_token: token } = await maker(api);
    const { due } = api.vault.vault.engine.tokens.index;
    const before = due.size;
    for (let i = 0; i < 50; i++) {
      api.vault.clock.advance(1000);
      await api.call("POST", "auth/token/renew-self", { token, body: { increment: 3600 } });
    }
    ok(due.size <= before + 1, `${due.size - before} entries more`);
  });
});

Deno.test("S18: a cubbyhole's paths count too", async () => {
  await withApi(async (api) => {
    await api.withUsers("bob");
    const { client_token: token } = await api.login("bob");
    let last = 0;
    for (let i = 0; i < 300 && last !== 429; i++) {
      last = (await api.call("POST", `cubbyhole/${i}${"p".repeat(500)}`, { token, body: { a: 1 } })).status;
    }
    equal(last, 429, "150 KB of paths");
  });
});

Deno.test("a role's token_no_default_policy binds, of two numbers of uses the lesser does, and a disallowed default", async () => {
  await withApi(async (api) => {
    const token = await root(api);
    const role = { allowed_policies: ["a"], token_no_default_policy: true, token_num_uses: 10 };
    await api.must("POST", "auth/token/roles/r", role);
    const made = await make(api, token, "create/r", { policies: ["a"], num_uses: 1 });
    await api.must("POST", "auth/token/roles/s", { allowed_policies: ["a"], disallowed_policies: ["default"] });
    const other = await make(api, token, "create/s", { policies: ["a"] });
    deepEqual([made.policies, made.num_uses, other.policies], [["a"], 1, ["a"]]);
  });
});

Deno.test("X-Vault-Wrap-TTL on unwrap isn't ignored silently", async () => {
  await withApi(async (api) => {
    const token = await root(api);
    const body = { token: await wrapSelf(api, token) };
    const answer = await api.call("POST", "sys/wrapping/unwrap", { token, body, headers: MINUTE });
    ok(answer.status === 400 || answer.body.wrap_info !== null, "the answer came in the clear");
  });
});

Deno.test("a token's last use on an open path ends it", async () => {
  await withApi(async (api) => {
    const { client_token: token } = await make(api, await root(api), "create", { policies: ["default"], num_uses: 1 });
    await api.call("GET", "sys/internal/ui/mounts", { token });
    equal(api.vault.vault.engine.tokens.find(token), undefined);
  });
});

Deno.test("a renewal past a lowered maximum is refused, and doesn't end the token", async () => {
  await withApi(async (api) => {
    const { client_token: token } = await maker(api);
    api.vault.clock.advance(7_200_000);
    await api.must("POST", "sys/auth/userpass/tune", { max_lease_ttl: "1h" });
    equal((await api.call("POST", "auth/token/renew-self", { token, body: {} })).status, 400);
    equal(await self(api, token), 200);
  });
});

Deno.test("a peer's address with a zone lies in its range", () => {
  equal(isInCidrs("fe80::1%eth0", ["fe80::/10"]), true);
});
