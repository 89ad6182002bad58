/**
 * `auth/userpass` as clients see it (vault-api 4), and what users may do to themselves and to others (S12).
 */

import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { type TestApi, withApi } from "../_test_support.ts";

const HASH = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/** Fails the test unless the operator's request is refused so, and nothing was written. */
async function refuses(
  api: TestApi,
  path: string,
  body: unknown,
  expected: [status: number, error: RegExp],
): Promise<void> {
  const before = api.vault.vault.state.sequence;
  const { status, body: answered } = await api.operator("POST", path, body);
  equal(status, expected[0], `${path} ${JSON.stringify(body)?.slice(0, 200)}: ${JSON.stringify(answered)}`);
  match(answered.errors[0] ?? "", expected[1]);
  equal(api.vault.vault.state.sequence, before, "nothing was written");
}

Deno.test("a login answers the auth block that clients know, and leaves the entity's metadata alone", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    await api.must("POST", "auth/userpass/users/alice", { token_policies: "writer,reader", token_ttl: "1h" });
    const { status, body } = await api.call("PUT", "auth/userpass/login/Alice", { body: { password: "alice" } });
    equal(status, 200);
    equal(body.data, null);
    const { client_token, accessor, entity_id, ...auth } = body.auth;
    match(client_token, /^hvs\./);
    match(accessor, /^[A-Za-z0-9]{24}$/);
    deepEqual(auth, {
      policies: ["default", "reader", "writer"],
      token_policies: ["default", "reader", "writer"],
      metadata: { username: "alice" },
      lease_duration: 3600,
      renewable: true,
      token_type: "service",
      orphan: true,
      mfa_requirement: null,
      num_uses: 0,
    });
    const self = await api.call("GET", "auth/token/lookup-self", { token: client_token });
    const { display_name, path, meta } = self.body.data;
    deepEqual([display_name, path, meta], ["userpass-alice", "auth/userpass/login/alice", { username: "alice" }]);
    await api.must("POST", `identity/entity/id/${entity_id}`, { metadata: { team: "x" } });
    await api.login("alice");
    const entity = await api.must("GET", `identity/entity/id/${entity_id}`);
    deepEqual([entity.name, entity.metadata, entity.aliases.length], ["alice", { team: "x" }, 1]);
    deepEqual([entity.aliases[0].name, entity.aliases[0].mount_path], ["alice", "auth/userpass/"]);
  });
});

Deno.test("a login ignores whatever token it is sent with, and answers wrong ones as clients know it", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    const ask = (name: string, body: unknown, method = "POST") =>
      api.call(method, `auth/userpass/login/${name}`, { body, token: "hvs.nonsense" });
    equal((await ask("alice", { password: "alice" })).status, 200);
    const wrong = ["invalid username or password"];
    for (const name of ["alice", "nobody"]) {
      const answered = await ask(name, { password: "x" });
      deepEqual([answered.status, answered.body], [400, { errors: wrong }], name);
      for (const body of [{}, { password: "" }, { password: null }]) {
        deepEqual((await ask(name, body)).body, { errors: ["missing password"] }, name);
      }
      const { status, body } = await ask(name, { password: ["geheim"] });
      deepEqual([status, /"password"/.test(body.errors[0]), /geheim/.test(body.errors[0])], [500, true, false]);
    }
    equal((await api.call("GET", "auth/userpass/login/alice")).status, 405);
    for (const name of ["alice.", "-alice", "a b", "alice%2Fx", "{{alice}}"]) {
      equal((await ask(encodeURI(name), { password: "alice" })).status, 404, name);
    }
    equal((await api.call("POST", "auth/other/login/alice", { body: { password: "alice" } })).status, 403);
  });
});

Deno.test("a password may be sent as a number and is its text", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    await api.must("POST", "auth/userpass/users/num", { password: 12345 });
    await api.login("num", "12345");
    const raw = { headers: { "content-type": "application/json" }, body: { password: 12345 } };
    equal((await api.call("POST", "auth/userpass/login/num", raw)).status, 200);
  });
});

Deno.test("a user is read back by new and old names of the fields, without password or hash", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    const old = { password: "pw", policies: "a, b,,a", ttl: "10m", max_ttl: 7200, bound_cidrs: ["10.0.0.0/8"] };
    await api.must("POST", "auth/userpass/users/Alice", old);
    const read = await api.must("GET", "auth/userpass/users/ALICE");
    const { token_policies, token_ttl, token_max_ttl, token_bound_cidrs, policies, ttl, max_ttl, bound_cidrs } = read;
    deepEqual([token_policies, token_ttl, token_max_ttl, token_bound_cidrs], [["a", "b"], 600, 7200, ["10.0.0.0/8"]]);
    deepEqual([policies, ttl, max_ttl, bound_cidrs], [["a", "b"], 600, 7200, ["10.0.0.0/8"]]);
    deepEqual(Object.keys(read).filter((name) => /password|hash/.test(name)), []);
    await api.must("POST", "auth/userpass/users/alice", {
      policies: ["old"],
      token_policies: ["new"],
      token_num_uses: 3,
    });
    const after = await api.must("GET", "auth/userpass/users/alice");
    deepEqual([after.token_policies, after.token_num_uses, after.token_ttl], [["new"], 3, 600], "absent fields stay");
    const login = await api.call("POST", "auth/userpass/login/alice", {
      body: { password: "pw" },
      address: "10.0.0.1",
    });
    deepEqual([login.status, login.body.auth.num_uses], [200, 3]);
  });
});

Deno.test("users are listed in order and by pages; none is 404, and so is one who isn't there", async () => {
  await withApi(async (api) => {
    await api.must("POST", "sys/auth/userpass", { type: "userpass" });
    equal((await api.operator("LIST", "auth/userpass/users")).status, 404);
    deepEqual((await api.operator("GET", "auth/userpass/users/nobody")).body, { errors: [] });
    await api.withUsers("carl", "Anna", "bert@example.org");
    const list = async (query: string) =>
      (await api.operator("GET", `auth/userpass/users?list=true${query}`)).body.data?.keys;
    deepEqual(await list(""), ["anna", "bert@example.org", "carl"]);
    deepEqual(await list("&limit=2"), ["anna", "bert@example.org"]);
    deepEqual(await list("&after=anna&limit=1"), ["bert@example.org"]);
    equal(await list("&after=carl"), undefined);
    for (let i = 0; i < 2; i++) equal((await api.operator("DELETE", "auth/userpass/users/anna")).status, 204);
    deepEqual(await list(""), ["bert@example.org", "carl"]);
  });
});

Deno.test("an e-mail address is a name, of the login, the alias and the entity", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    await api.must("POST", "auth/userpass/users/Ann.B+test@Example.org", { password: "pw" });
    const { entity_id } = await api.login("ann.b%2Btest%40example.org", "pw");
    const entity = await api.must("GET", `identity/entity/id/${entity_id}`);
    deepEqual([entity.name, entity.aliases[0].name], ["ann.b+test@example.org", "ann.b+test@example.org"]);
  });
});

Deno.test("what can't be is refused with nothing changed, for a new user and for one who is there", async () => {
  await withApi(async (api) => {
    await api.withUsers("known");
    const bad: [body: Record<string, unknown>, error: RegExp][] = [
      [{ password: "p", password_hash: HASH }, /only one of password and password_hash/],
      [{ password_hash: "plain" }, /not a bcrypt hash/],
      [{ password_hash: HASH.replace("05", "31") }, /not a bcrypt hash/],
      [{ password: "x".repeat(1025) }, /password length exceeds/],
      [{ password: "" }, /missing password/],
      [{ password: "p", token_type: "batch" }, /token_type/],
      [{ password: "p", token_bound_cidrs: "10.0.0.0/99" }, /CIDR/],
      [{ password: "p", token_bound_cidrs: "example.org" }, /CIDR/],
      [{ password: "p", token_ttl: "2h", token_max_ttl: "1h" }, /token_ttl/],
      [{ password: "p", token_ttl: "-1s" }, /^error converting input for field "token_ttl"/],
      [{ password: "p", token_num_uses: -1 }, /negative/],
      [{ password: "p", token_num_uses: "many" }, /^error converting input for field "token_num_uses"/],
      [{ password: "p", token_policies: ["root"] }, /root/],
      [{ password: { a: 1 } }, /^error converting input for field "password"/],
    ];
    for (const [body, error] of bad) {
      for (const name of ["known", "fresh"]) await refuses(api, `auth/userpass/users/${name}`, body, [400, error]);
    }
    await refuses(api, "auth/userpass/users/fresh", {}, [400, /password or password_hash/]);
    await refuses(api, "auth/userpass/users/fresh/password", { password: "p" }, [500, /username does not exist/]);
    await refuses(api, "auth/userpass/users/fresh/policies", { policies: "a" }, [500, /username does not exist/]);
    await refuses(api, "auth/userpass/users/known/password", {}, [400, /missing password/]);
    await refuses(api, "auth/userpass/users/known/policies", { policies: "root" }, [400, /root/]);
    for (const name of ["a%20b", "a%2Fb", "a.", "-a", "%7B%7Bx%7D%7D", "a*", "%C3%A4"]) {
      await refuses(api, `auth/userpass/users/${name}`, { password: "p" }, [404, /unsupported path/]);
    }
    await api.login("known");
  });
});

Deno.test("bcrypt hashes are taken for new users and old, and logged in with", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    for (const name of ["2a", "2b", "2y"]) {
      await api.must("POST", `auth/userpass/users/u${name}`, { password_hash: HASH.replace("2b", name) });
      await api.login(`u${name}`, "U*U");
    }
    await api.must("POST", "auth/userpass/users/alice/password", { password_hash: HASH });
    await api.login("alice", "U*U");
    equal((await api.call("POST", "auth/userpass/login/alice", { body: { password: "alice" } })).status, 400);
  });
});

Deno.test("create and update are two capabilities", async () => {
  await withApi(async (api) => {
    await api.withUsers("clerk", "known");
    await api.policy("hire", `path "auth/userpass/users/*" { capabilities = ["create"] }`);
    await api.must("POST", "auth/userpass/users/clerk/policies", { token_policies: "hire" });
    const { client_token: token } = await api.login("clerk");
    const write = (name: string) => api.call("POST", `auth/userpass/users/${name}`, { token, body: { password: "p" } });
    equal((await write("fresh")).status, 204);
    equal((await write("fresh")).status, 403);
    equal((await write("known")).status, 403);
  });
});

Deno.test("S12: without sudo nobody gives policies beyond their own, by no path and by no name of the field", async () => {
  await withApi(async (api) => {
    await api.policy("clerk", `path "auth/userpass/users/*" { capabilities = ["create", "update"] }`);
    await api.policy("chief", `path "auth/userpass/users/*" { capabilities = ["create", "update", "sudo"] }`);
    await api.withUsers("clerk", "chief", "other");
    await api.must("POST", "auth/userpass/users/clerk/policies", { policies: "clerk,reader" });
    await api.must("POST", "auth/userpass/users/chief/policies", { policies: "chief" });
    const [clerk, chief] = [await api.login("clerk"), await api.login("chief")];
    const ask = (token: string, path: string, body: unknown) =>
      api.call("POST", `auth/userpass/users/${path}`, { token, body });
    const tried: [path: string, body: unknown][] = [
      ["clerk", { policies: "admin" }],
      ["clerk", { token_policies: ["reader", "admin"] }],
      ["CLERK", { policies: "admin" }],
      ["other", { policies: "admin" }],
      ["fresh", { password: "p", policies: "admin" }],
      ["clerk/policies", { policies: "admin" }],
      ["other/policies", { token_policies: "admin" }],
    ];
    for (const [path, body] of tried) {
      const answered = await ask(clerk.client_token, path, body);
      equal(answered.status, 403, path);
    }
    equal((await ask(clerk.client_token, "other/policies", { policies: "reader,default" })).status, 204);
    deepEqual((await api.must("GET", "auth/userpass/users/other")).token_policies, ["default", "reader"]);
    deepEqual((await api.must("GET", "auth/userpass/users/clerk")).token_policies, ["clerk", "reader"]);
    equal((await api.operator("GET", "auth/userpass/users/fresh")).status, 404);
    equal((await ask(chief.client_token, "other/policies", { policies: "admin" })).status, 204);
    equal((await ask(chief.client_token, "chief/policies", { policies: "root" })).status, 400);
  });
});

Deno.test("users change their own password with the old one: other sessions end, this one and its maker stay", async () => {
  await withApi(async (api) => {
    const own = `path "auth/userpass/users/alice*" { capabilities = ["update"] }
      path "auth/token/create" { capabilities = ["update"] }`;
    await api.policy("own", own);
    await api.withUsers("alice", "bob");
    await api.must("POST", "auth/userpass/users/alice/policies", { policies: "own" });
    const [here, there, bob] = [await api.login("alice"), await api.login("alice"), await api.login("bob")];
    const child = async (token: string) =>
      (await api.call("POST", "auth/token/create", { token, body: {} })).body.auth.client_token as string;
    const [ours, theirs] = [await child(here.client_token), await child(there.client_token)];
    const change = (body: unknown, path = "alice/password", token = ours) =>
      api.call("POST", `auth/userpass/users/${path}`, { token, body });
    match((await change({ password: "new" })).body.errors[0], /missing old_password/);
    deepEqual((await change({ password: "new", old_password: "x" })).body.errors, ["invalid username or password"]);
    for (const path of ["alice", "ALICE"]) equal((await change({ password: "new" }, path)).status, 403, path);
    match((await change({ password: "new" }, "ALICE/password")).body.errors[0], /./);
    await api.login("alice", "alice");
    equal((await change({ password: "new", old_password: "alice" })).status, 204);
    const works = async (token: string) => (await api.call("GET", "auth/token/lookup-self", { token })).status;
    deepEqual(await Promise.all([ours, here.client_token].map(works)), [200, 200]);
    deepEqual(await Promise.all([there.client_token, theirs].map(works)), [403, 403]);
    equal(await works(bob.client_token), 200);
    await api.login("alice", "new");
    equal((await api.call("POST", "auth/userpass/login/alice", { body: { password: "alice" } })).status, 400);
  });
});

Deno.test("an evt token of the same user changes the password too, and ends every login", async () => {
  await withApi(async (api) => {
    await api.policy("own", `path "auth/userpass/users/alice/password" { capabilities = ["update"] }`);
    const { roles, engine } = api.vault.vault;
    await roles.create({ name: "agent", scope: ["get_bundle"], topK: 1, rateLimit: "30/1s", policies: ["own"] });
    const evt = await api.vault.issue("alice", "agent");
    await engine.accounts.create({ name: "alice", password: "pw" });
    const { client_token } = await api.login("alice", "pw");
    const change = (old_password?: string) =>
      api.call("POST", "auth/userpass/users/alice/password", { token: evt, body: { password: "new", old_password } });
    equal((await change()).status, 400);
    equal((await change("pw")).status, 204);
    equal((await api.call("GET", "auth/token/lookup-self", { token: client_token })).status, 403);
    equal((await api.call("GET", "auth/token/lookup-self", { token: evt })).status, 200);
  });
});

Deno.test("disabling the mount takes its users and tokens away; enabled again it knows nobody", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    const { client_token: token, entity_id } = await api.login("alice");
    await api.must("DELETE", "sys/auth/userpass");
    equal((await api.call("GET", "auth/token/lookup-self", { token })).status, 403);
    equal(api.vault.disk.table("userpass_user").size, 0);
    await api.must("POST", "sys/auth/userpass", { type: "userpass" });
    equal((await api.call("POST", "auth/userpass/login/alice", { body: { password: "alice" } })).status, 400);
    await api.withUsers("alice");
    notEqual((await api.login("alice")).entity_id, entity_id);
  });
});

Deno.test("users of two mounts are two users, by path, password and entity", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    await api.must("POST", "sys/auth/team/staff", { type: "userpass" });
    await api.must("POST", "auth/team/staff/users/alice", { password: "other" });
    const { status, body } = await api.call("POST", "auth/team/staff/login/alice", { body: { password: "other" } });
    equal(status, 200);
    notEqual(body.auth.entity_id, (await api.login("alice")).entity_id);
    const { data } = (await api.call("GET", "auth/token/lookup-self", { token: body.auth.client_token })).body;
    deepEqual([data.display_name, data.path], ["team-staff-alice", "auth/team/staff/login/alice"]);
    equal((await api.call("POST", "auth/userpass/login/alice", { body: { password: "other" } })).status, 400);
    deepEqual(await api.must("LIST", "auth/team/staff/users"), { keys: ["alice"] });
  });
});

Deno.test("a login's token has the life, the uses and the addresses that its user was given", async () => {
  await withApi(async (api) => {
    await api.withUsers("alice");
    const set = (body: unknown) => api.must("POST", "auth/userpass/users/alice", body);
    const granted = async () => (await api.login("alice")).lease_duration;
    equal(await granted(), 2_764_800);
    await set({ token_max_ttl: "1h" });
    equal(await granted(), 3600);
    await set({ token_ttl: "30m" });
    equal(await granted(), 1800);
    await set({ token_period: "10m" });
    equal(await granted(), 600);
    await set({
      token_period: 0,
      token_no_default_policy: true,
      token_policies: ["a"],
      token_bound_cidrs: "192.0.2.0/24",
    });
    const { policies, client_token: token } = await api.login("alice");
    deepEqual(policies, ["a"]);
    const from = (address: string) => api.call("GET", "cubbyhole/x", { token, address });
    deepEqual((await from("198.51.100.1")).body.errors, ["permission denied"]);
    equal((await api.call("POST", "auth/token/renew-self", { token, address: "192.0.2.9" })).status, 403);
    await api.must("POST", "sys/auth/userpass/tune", { default_lease_ttl: "5m", max_lease_ttl: "20m" });
    await set({ token_ttl: 0, token_max_ttl: 0 });
    equal(await granted(), 300);
  });
});

Deno.test("an own password change ends the sessions from before a merge as well", async () => {
  await withApi(async (api) => {
    await api.policy("own", `path "auth/userpass/users/carl/password" { capabilities = ["update"] }`);
    await api.withUsers("carl");
    await api.must("POST", "auth/userpass/users/carl/policies", { policies: "own" });
    const before = await api.login("carl");
    const { id } = await api.must("POST", "identity/entity", { name: "target" });
    await api.must("POST", "identity/entity/merge", { from_entity_ids: [before.entity_id], to_entity_id: id });
    const { client_token: token } = await api.login("carl");
    const body = { password: "new", old_password: "carl" };
    equal((await api.call("POST", "auth/userpass/users/carl/password", { token, body })).status, 204);
    equal((await api.call("GET", "auth/token/lookup-self", { token })).status, 200);
    equal((await api.call("GET", "auth/token/lookup-self", { token: before.client_token })).status, 403);
  });
});

Deno.test("five answers of a vault that is too busy lock nobody out", async () => {
  await withApi(async (api) => {
    await api.withUsers("mona");
    const login = (name: string) => api.call("POST", `auth/userpass/login/${name}`, { body: { password: "mona" } });
    const flood = Array.from({ length: 502 }, (_, i) => login(`nobody${i}`));
    const busy = await Promise.all(Array.from({ length: 6 }, () => login("mona")));
    deepEqual(busy.map((answered) => answered.status), [503, 503, 503, 503, 503, 503]);
    api.vault.vault.engine.close();
    await Promise.all(flood);
    equal(api.vault.vault.engine.lockout.locked().length, 0);
  });
});

Deno.test("a username that no alias could have is refused before anything is stored", async () => {
  await withApi(async (api) => {
    await api.withUsers("u".repeat(512));
    const { status } = await api.operator("POST", `auth/userpass/users/${"u".repeat(513)}`, { password: "pw" });
    equal(status, 400);
    equal(api.vault.disk.table("userpass_user").size, 1);
  });
});
