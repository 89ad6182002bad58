/**
 * S14: what a service that verifies identity tokens offline learns, against every way in which such a token can end.
 */

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { decodeJwt } from "jose";
import { sessionIdOf } from "../../vault/oidc/session_ids.ts";
import { type TestApi, withApi } from "./_test_support.ts";

const MAY = `path "identity/oidc/token/app" { capabilities = ["read"] }
path "auth/token/*" { capabilities = ["update", "sudo"] }`;
const FEED = "identity/oidc/revoked";

interface Row {
  readonly sub?: string;
  readonly min_ep?: number;
  readonly sid?: string;
  readonly until: number;
}

/** Identity tokens can be had, by evt tokens of the role `member` and by logins of users. */
async function prepare(api: TestApi, ...names: string[]): Promise<void> {
  await api.policy("may", MAY);
  await api.must("POST", "identity/oidc/key/k", { algorithm: "EdDSA", allowed_client_ids: "*" });
  await api.must("POST", "identity/oidc/role/app", { key: "k", ttl: "10m" });
  await api.vault.vault.roles.update("member", { policies: ["may"], rateLimit: "1000/1s" });
  await api.withUsers(...names);
  for (const name of names) await api.must("POST", `auth/userpass/users/${name}`, { policies: ["may"] });
}

async function mint(api: TestApi, token: string) {
  const { status, body } = await api.call("GET", "identity/oidc/token/app", { token });
  equal(status, 200, JSON.stringify(body));
  const jwt: string = body.data.token;
  return { jwt, claims: decodeJwt<{ ep: number; sid: string }>(jwt) };
}

async function feed(api: TestApi): Promise<Row[]> {
  const { status, body } = await api.call("GET", FEED);
  equal(status, 200);
  return body.revocations;
}

/** Whether a verifier that has the feed alone refuses a token. */
async function refuses(api: TestApi, { claims }: Awaited<ReturnType<typeof mint>>): Promise<boolean> {
  return (await feed(api)).some(({ sub, min_ep, sid }) =>
    sub === claims.sub && claims.ep < min_ep! || sid === claims.sid
  );
}

/** The feed and introspection say the same of a token. */
async function isOver(api: TestApi, minted: Awaited<ReturnType<typeof mint>>): Promise<boolean> {
  const { body } = await api.operator("POST", "identity/oidc/introspect", { token: minted.jwt });
  equal(await refuses(api, minted), !body.active, `introspection: ${JSON.stringify(body)}`);
  return !body.active;
}

Deno.test("S14: revocation, cut-off, disabling, rotation, logout and deletion are in the feed as introspection has them", async () => {
  await withApi(async (api) => {
    await prepare(api, "anna", "ben", "cleo", "dan");
    const { tokens, users, engine } = api.vault.vault;
    deepEqual(await feed(api), []);
    const login = async (name: string) => (await api.login(name)).client_token as string;

    const evt = await mint(api, await api.vault.issue("eve"));
    equal(await isOver(api, evt), false);
    const { token: next } = await tokens.rotate({ user: "eve" });
    equal(await isOver(api, evt), true, "rotated");
    const second = await mint(api, next);
    equal(await isOver(api, second), false);
    await users.disable("eve");
    equal(await isOver(api, second), true, "disabled");
    await users.enable("eve");
    equal(await isOver(api, second), false, "enabled again");
    await tokens.revoke("eve");
    equal(await isOver(api, second), true, "revoked");
    await engine.cutOff.cutOff("eve");
    await engine.cutOff.restore("eve");
    equal(await isOver(api, second), true, "restoring revives nothing");

    const anna = await login("anna");
    const [one, two] = [await mint(api, anna), await mint(api, await login("anna"))];
    await api.call("POST", "auth/token/revoke-self", { token: anna });
    deepEqual([await isOver(api, one), await isOver(api, two)], [true, false], "one session's end");

    const ben = await login("ben");
    const made = await api.call("POST", "auth/token/create", { token: ben, body: { policies: ["may"] } });
    const child = await mint(api, made.body.auth.client_token);
    await api.call("POST", "auth/token/revoke-self", { token: ben });
    equal(await isOver(api, child), true, "the end of the parent's session");

    const cleo = await mint(api, await login("cleo"));
    await api.must("DELETE", `identity/entity/id/${cleo.claims.sub}`);
    equal(await isOver(api, cleo), true, "deleted");

    const dan = await mint(api, await login("dan"));
    await api.must("POST", `identity/entity/id/${dan.claims.sub}`, { disabled: true });
    equal(await isOver(api, dan), true, "an entity that a write disabled");
  });
});

Deno.test("S14: tokens of an entity that was merged end and count with the one that took it over", async () => {
  await withApi(async (api) => {
    await prepare(api, "from", "to");
    const from = await mint(api, (await api.login("from")).client_token);
    const to = (await api.login("to")).entity_id;
    const [alias] = (await api.must("GET", `identity/entity/id/${to}`)).aliases;
    await api.must("POST", "identity/entity/merge", {
      from_entity_ids: [from.claims.sub],
      to_entity_id: to,
      conflicting_alias_ids_to_keep: [alias.id],
    });
    equal(await isOver(api, from), false);
    await api.must("POST", `identity/entity/id/${to}`, { disabled: true });
    equal(await isOver(api, from), true);
    await api.must("POST", `identity/entity/id/${to}`, { disabled: false });
    equal(await isOver(api, from), false);
    await api.vault.vault.engine.cutOff.cutOff("to");
    equal(await isOver(api, from), true);
  });
});

Deno.test("S14: the end of a session by its expiry is told too, and one that minted nothing is not", async () => {
  await withApi(async (api) => {
    await prepare(api, "anna");
    await api.must("POST", "auth/userpass/users/anna", { token_ttl: "60s" });
    const minted = await mint(api, (await api.login("anna")).client_token);
    const idle = (await api.login("anna")).accessor;
    api.vault.clock.advance(61_000);
    await api.vault.vault.engine.tokens.endings.sweep();
    equal(await isOver(api, minted), true);
    const rows = await feed(api);
    equal(rows.some(({ sid }) => sid === sessionIdOf(idle)), false);
    deepEqual(rows.map(({ until }) => until), [minted.claims.exp], "until the last token of the session expires");
  });
});

Deno.test("S14: the feed outlives kill -9, sessions of before it included, and forgets what has expired", async () => {
  await withApi(async (api) => {
    await prepare(api, "anna");
    const anna: string = (await api.login("anna")).client_token;
    api.vault.clock.advance(-1);
    const [session, evt] = [await mint(api, anna), await mint(api, await api.vault.issue("eve"))];
    await api.vault.vault.tokens.revoke("eve");
    const { headers } = await api.call("GET", FEED);
    await api.reopen();
    const after = await api.call("GET", FEED);
    equal(await refuses(api, evt), true);
    notEqual(after.headers.get("etag"), headers.get("etag"), "nobody takes another process's content for known");
    await api.call("POST", "auth/token/revoke-self", { token: anna });
    equal(await isOver(api, session), true, "the new process doesn't know what the session minted, and says it ended");
    api.vault.clock.advance(599_000);
    await api.vault.vault.engine.revocationFeed.sweep();
    equal((await feed(api)).length, 2, "a token may still count for a second");
    api.vault.clock.advance(2_000);
    await api.vault.vault.engine.revocationFeed.sweep();
    deepEqual(await feed(api), []);
  });
});

Deno.test("a role whose tokens lived longer in the past still decides how long revocations are kept", async () => {
  await withApi(async (api) => {
    await prepare(api);
    await api.must("POST", "identity/oidc/role/app", { key: "k", ttl: "2h" });
    const evt = await mint(api, await api.vault.issue("eve"));
    await api.must("POST", "identity/oidc/role/app", { key: "k", ttl: "1m" });
    await api.must("DELETE", "identity/oidc/role/app");
    await api.vault.vault.tokens.revoke("eve");
    const [row] = await feed(api);
    ok(row!.until >= evt.claims.exp!, `${row!.until} is before ${evt.claims.exp}`);
  });
});

Deno.test("the feed is open, cacheable by its ETag, and waits for a change when it is asked to", async () => {
  await withApi(async (api) => {
    await prepare(api);
    await mint(api, await api.vault.issue("eve"));
    const first = await api.call("GET", FEED);
    const etag = first.headers.get("etag")!;
    match(etag, /^"[0-9a-f]{16}-\d+"$/);
    deepEqual([first.headers.get("cache-control"), first.headers.get("access-control-allow-origin")], [
      "no-cache",
      "*",
    ]);
    const known = { "if-none-match": etag };
    equal((await api.call("GET", FEED, { headers: known })).status, 304);
    equal((await api.call("GET", FEED, { headers: { "if-none-match": `"other", W/${etag}` } })).status, 304);
    equal((await api.call("GET", FEED, { headers: { "if-none-match": '"other"' } })).status, 200);
    const waiting = api.call("GET", `${FEED}?wait=30s`, { headers: known });
    while (api.vault.vault.engine.revocationFeed.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await api.vault.vault.tokens.revoke("eve");
    const { status, body } = await waiting;
    deepEqual([status, body.revocations.length], [200, 1]);
    equal((await api.call("GET", `${FEED}?wait=10ms`, { headers: known })).status, 200, "it has changed already");
    equal((await api.call("GET", `${FEED}?wait=nonsense`, { headers: known })).status, 400);
  });
});

Deno.test("S14: at most 64 wait, 16 of them from one address; whoever finds no place is answered at once", async () => {
  await withApi(async (api) => {
    const feed = api.vault.vault.engine.revocationFeed;
    const { headers } = await api.call("GET", FEED);
    const poll = (address: string) =>
      api.call("GET", `${FEED}?wait=60s`, { headers: { "if-none-match": headers.get("etag")! }, address });
    const polls = Array.from({ length: 300 }, () => poll("198.51.100.7"));
    const refused = await Promise.all(polls.slice(16));
    deepEqual(new Set(refused.map(({ status }) => status)), new Set([304]));
    equal(refused[0]!.headers.get("retry-after"), "5");
    equal(feed.waiting, 16, "a stranger takes no more places than that");
    for (let i = 0; i < 300; i++) polls.push(poll(`198.51.100.${i % 100 + 100}`));
    equal((await polls.at(-1)!).status, 304);
    equal(feed.waiting, 64);
    feed.close();
    await Promise.all(polls);
    equal(feed.waiting, 0);
  });
});
