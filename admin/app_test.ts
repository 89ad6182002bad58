import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { VaultError } from "../vault/errors.ts";
import { fakeToken } from "../tests/fakes/admin_vault.ts";
import { ADMIN_TOKEN, type AppUnderTest, kindOf, makeApp } from "./_test_support.ts";

/** Asks over the socket, where no token is needed. */
function ask(app: AppUnderTest, method: string, path: string, body?: unknown): Promise<Response> {
  const init = body === undefined ? { method } : {
    method,
    body: typeof body === "string" || body instanceof Uint8Array ? body as BodyInit : JSON.stringify(body),
    headers: { "content-type": "application/json" },
  };
  return app.handle(new Request(`http://localhost${path}`, init), { kind: "unix" });
}

Deno.test("POST /tokens issues with 201, shows the token once, and GET /tokens never shows it", async () => {
  const app = makeApp();
  const issued = await ask(app, "POST", "/tokens", { user: "alice", role: "member", expires_days: 90 });
  equal(issued.status, 201);
  const body = await issued.json();
  match(body.token, /^evt_[0-9a-f]{32}$/);
  deepEqual(
    { user: body.user, role: body.role, issued: body.issued_at, created: body.created, expires: body.expires },
    { user: "alice", role: "member", issued: "2026-03-20", created: "2026-03-20", expires: "2026-06-18" },
  );
  const list = await (await ask(app, "GET", "/tokens")).text();
  equal(list, '{"tokens":[{"user":"alice","role":"member","top_k":10,"rate_limit":"30/60s","expires":"2026-06-18"}]}');
  doesNotMatch(await (await ask(app, "GET", "/tokens/alice")).text(), /evt_/);
});

Deno.test("rotate passes days and grace on, and says until when the old token lives", async () => {
  const app = makeApp();
  app.vault.rows.set("alice", fakeToken("alice", 1));
  const rotated = await ask(app, "POST", "/tokens/alice/rotate", { grace_seconds: 600 });
  equal(rotated.status, 200);
  equal((await rotated.json()).grace_until, "2026-03-20T10:10:00.000Z");
  equal((await ask(app, "POST", "/tokens/alice/rotate")).status, 200, "a body is not needed");
});

Deno.test("DELETE /tokens/:user answers with a message, and 404 when there is none", async () => {
  const app = makeApp();
  app.vault.rows.set("alice", fakeToken("alice", 1));
  const revoked = await (await ask(app, "DELETE", "/tokens/alice")).json();
  equal(revoked.message, 'Revoked the token of "alice"');
  const again = await ask(app, "DELETE", "/tokens/alice");
  equal(again.status, 404);
  equal(await kindOf(again), "not_found");
});

Deno.test("every other route answers with its wire form", async () => {
  const app = makeApp();
  app.vault.rows.set("alice", fakeToken("alice", 1));
  const role = { name: "researcher", scope: ["get_public_key"], top_k: 3, rate_limit: "10/60s" };
  const made = await ask(app, "POST", "/roles", role);
  equal(made.status, 201);
  deepEqual(await made.json(), role);
  deepEqual(await (await ask(app, "PUT", "/roles/researcher", { top_k: 8 })).json(), { ...role, top_k: 8 });
  equal((await (await ask(app, "GET", "/roles")).json()).roles.length, 2);
  equal((await ask(app, "DELETE", "/roles/researcher")).status, 200);
  equal((await ask(app, "DELETE", "/roles/member")).status, 400);
  equal((await (await ask(app, "POST", "/users/alice/disable")).json()).disabled, true);
  equal((await (await ask(app, "POST", "/users/alice/enable")).json()).disabled, false);
  equal((await (await ask(app, "GET", "/users")).json()).users[0].token.agent_id.length, 32);
  equal((await (await ask(app, "POST", "/secrets/rotate")).json()).version, 2);
  equal((await (await ask(app, "GET", "/secrets")).json()).secrets[0].live_tokens, 0);
  equal((await (await ask(app, "POST", "/secrets/1/retire")).json()).state, "retired");
  equal((await ask(app, "POST", "/secrets/0x1/retire")).status, 400);
  equal((await (await ask(app, "GET", "/files")).json()).files[1].state, "refused");
  equal((await (await ask(app, "GET", "/files/tokens/diff")).json()).differences[0].row, "bob");
  equal((await (await ask(app, "POST", "/files/tokens/take")).json()).name, "tokens");
  equal((await (await ask(app, "POST", "/files/tokens/discard")).json()).state, "written");
  equal((await ask(app, "GET", "/files/seal.key/diff")).status, 404);
  equal((await (await ask(app, "GET", "/status")).json()).pid, 4711);
});

Deno.test("POST /rewrap keeps the order and names the index of a bad envelope", async () => {
  const app = makeApp();
  const good = await ask(app, "POST", "/rewrap", { envelopes: ['{"v":1,"n":1}', '{"v":1,"n":2}'] });
  deepEqual(await good.json(), { envelopes: ['{"v":2,"n":1}', '{"v":2,"n":2}'] });
  const bad = await ask(app, "POST", "/rewrap", { envelopes: ["fine", "bad"] });
  equal(bad.status, 400);
  deepEqual((await bad.json()).data, { index: 1 });
});

Deno.test("unknown routes are 404 and wrong methods 405 with Allow, as JSON", async () => {
  const app = makeApp();
  for (const path of ["/", "/token", "/tokens/", "/tokens/a/b/c", "/roles/x/y", "/admin"]) {
    const answer = await ask(app, "GET", path);
    equal(answer.status, 404, path);
    equal(await kindOf(answer), "not_found");
  }
  const wrong = await ask(app, "PATCH", "/tokens/alice");
  equal(wrong.status, 405);
  equal(wrong.headers.get("allow"), "GET, HEAD, DELETE");
  equal((await wrong.json()).kind, "invalid_argument");
  equal((await ask(app, "HEAD", "/tokens")).status, 200);
});

Deno.test("every answer carries the security headers, and none a cookie or a CORS header", async () => {
  const app = makeApp();
  app.vault.failNext(new Error("boom"));
  const answers = [
    await ask(app, "POST", "/secrets/rotate"),
    await ask(app, "GET", "/tokens"),
    await ask(app, "GET", "/nowhere"),
    await ask(app, "PATCH", "/tokens"),
    await app.handle(new Request("http://127.0.0.1:1/tokens"), { kind: "tcp", hostname: "127.0.0.1", port: 1 }),
  ];
  deepEqual(answers.map((answer) => answer.status), [500, 200, 404, 405, 403]);
  for (const { headers } of answers) {
    equal(headers.get("content-security-policy"), "default-src 'self'; frame-ancestors 'none'");
    equal(headers.get("x-content-type-options"), "nosniff");
    equal(headers.get("cache-control"), "no-store, no-transform");
    const names = [...headers.keys()];
    ok(!names.some((name) => name === "set-cookie" || name.startsWith("access-control-")), names.join());
  }
});

Deno.test("bodies are strict: type, form, unknown fields, wrong types", async () => {
  const app = makeApp();
  const refused: [unknown, RegExp][] = [
    [{ user: "a" }, /"role" is missing/],
    [{ user: "a", role: 5 }, /"role" must be text/],
    [{ user: "a", role: "member", expires_days: 1.5 }, /"expires_days" must be a whole number/],
    [{ user: "a", role: "member", expires_days: "90" }, /"expires_days" must be a whole number/],
    [{ user: "a", role: "member", admin: true }, /Unknown field "admin"/],
    ['{"user":"a","role":"member","__proto__":{}}', /Unknown field "__proto__"/],
    // Where a quote is missing, a secret stands in a field's place.
    ['{"user":"a","role":"member","x, Zq7vMx2LtR9w":1}', /^Unknown field$/],
    ["[]", /must be a JSON object/],
    ["null", /must be a JSON object/],
    ['"text"', /must be a JSON object/],
    ["{", /is not JSON/],
    [new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), /is not UTF-8/],
    [`{"user":${"[".repeat(400_000)}${"]".repeat(400_000)},"role":"member"}`, /"user" must be text/],
    ["[".repeat(1_000_000), /is not JSON/],
    [`{"user":"${"x".repeat(1024 * 1024)}"}`, /larger than 1 MiB/],
    [{ user: "x".repeat(1_000_000), role: "member" }, /Invalid user name/],
  ];
  for (const [body, message] of refused) {
    const answer = await ask(app, "POST", "/tokens", body);
    const text = await answer.text();
    equal(answer.status, 400, text.slice(0, 200));
    match(JSON.parse(text).error, message);
    ok(text.length < 600, "an answer does not repeat what was sent");
  }
  deepEqual(app.vault.calls, []);
  equal((await ask(app, "POST", "/tokens", { user: "a", role: "member", expires_days: null })).status, 201);
});

Deno.test("a body that is no JSON by its type is refused: forms are what other sites can post", async () => {
  const app = makeApp();
  for (const type of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]) {
    const init = { method: "POST", body: '{"user":"a","role":"member"}', headers: { "content-type": type } };
    const answer = await app.handle(new Request("http://localhost/tokens", init), { kind: "unix" });
    equal(answer.status, 400);
  }
  deepEqual(app.vault.calls, []);
});

Deno.test("odd names of old users are addressed by percent-encoding, and by ?name= where a path can't carry them", async () => {
  const app = makeApp();
  const names = ["a/b", "a b", "é", "\u0000", "a\nb", "%2e", "?", "-", "~", "x".repeat(5000)];
  for (const [i, name] of names.entries()) app.vault.rows.set(name, fakeToken(name, i));
  for (const name of names) {
    const answer = await ask(app, "GET", `/tokens/${encodeURIComponent(name)}`);
    equal((await answer.json()).user, name);
  }
  for (const name of [".", "..", ""]) {
    app.vault.rows.set(name, fakeToken(name, 99));
    equal((await ask(app, "DELETE", `/tokens/-?name=${encodeURIComponent(name)}`)).status, 200);
    ok(!app.vault.rows.has(name));
  }
  equal((await ask(app, "GET", "/tokens/alice?name=bob")).status, 400, "two names");
  equal((await ask(app, "GET", "/tokens/%ff")).status, 400, "not UTF-8");
  equal((await ask(app, "GET", "/tokens/..%2f..%2fetc%2fpasswd")).status, 404);
});

Deno.test("new users and roles with odd names are refused", async () => {
  const app = makeApp();
  for (const name of ["a/b", "..", "", "a\u0000", "a\nb", "-a", "a".repeat(65), "é"]) {
    equal((await ask(app, "POST", "/tokens", { user: name, role: "member" })).status, 400, JSON.stringify(name));
    const role = { name, scope: [], top_k: 1, rate_limit: "1/1s" };
    equal((await ask(app, "POST", "/roles", role)).status, 400, JSON.stringify(name));
  }
});

Deno.test("what is not a VaultError becomes a fixed text and a request id that the log has too", async () => {
  const app = makeApp();
  const secret = "correct horse battery";
  app.vault.failNext(Object.assign(new SyntaxError(`Unexpected token in "${secret}"`), { code: "ERR_TEST" }));
  const answer = await ask(app, "POST", "/secrets/rotate");
  equal(answer.status, 500);
  const body = await answer.json();
  deepEqual(Object.keys(body), ["error", "kind", "request_id"]);
  doesNotMatch(JSON.stringify(body), /Unexpected|battery|\.ts/);
  const logged = app.logger.events.find((entry) => entry.event === "admin_request_failed");
  equal(logged?.fields["request_id"], body.request_id);
  equal(logged?.fields["route"], "POST /secrets/rotate");
  deepEqual([logged?.fields["error"], logged?.fields["code"]], ["SyntaxError", "ERR_TEST"]);
  match(String(logged?.fields["frames"]), /app_test/);
  doesNotMatch(app.logger.text(), /battery/, "what V8 quotes in its messages may be a secret");
});

Deno.test("a VaultError's hint and data are answered, its cause is not", async () => {
  const app = makeApp();
  const cause = new Error("inner detail");
  app.vault.failNext(new VaultError("storage_failed", "The disk is full", { hint: "free some space", cause }));
  const answer = await ask(app, "POST", "/secrets/rotate");
  equal(answer.status, 500);
  const body = await answer.json();
  equal(body.error, "The disk is full");
  equal(body.hint, "free some space");
  doesNotMatch(JSON.stringify(body), /inner detail/);
});

Deno.test("?limit and ?after page through tokens; a limit that is no number is refused", async () => {
  const app = makeApp();
  for (const [i, name] of ["a", "b", "c"].entries()) app.vault.rows.set(name, fakeToken(name, i));
  const page = await (await ask(app, "GET", "/tokens?after=a&limit=1")).json();
  deepEqual(page.tokens.map((row: { user: string }) => row.user), ["b"]);
  equal((await ask(app, "GET", "/tokens?after=nobody")).status, 404);
  for (const limit of ["0", "-1", "x", "1e9", ""]) equal((await ask(app, "GET", `/tokens?limit=${limit}`)).status, 400);
});

Deno.test("the log names routes, never paths, bodies or tokens", async () => {
  const app = makeApp();
  await ask(app, "POST", "/tokens", { user: "alice", role: "member" });
  await ask(app, "DELETE", "/tokens/alice");
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}x`, host: "127.0.0.1:1" };
  await app.handle(new Request("http://127.0.0.1:1/tokens/evt_secret", { headers }), {
    kind: "tcp",
    hostname: "127.0.0.1",
    port: 1,
  });
  match(app.logger.text(), /DELETE \/tokens\/:user/);
  doesNotMatch(app.logger.text(), /alice|evt_|adm_/);
});
