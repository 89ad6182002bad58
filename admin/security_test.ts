/** The attacks on a loopback admin port, against a real listener. */

import { deepEqual, doesNotMatch, equal, match, notEqual, ok } from "node:assert/strict";
import { fakeToken } from "../tests/fakes/admin_vault.ts";
import { ADMIN_TOKEN, kindOf, sendRaw, serveApp, type ServedApp } from "./_test_support.ts";
import { adminTokenId, digestAdminToken, proveAdminToken } from "./admin_token.ts";
import { ownNow } from "../tests/own_time.ts";

const NONCE = "0123456789abcdef".repeat(4);

/** One request, written by hand, with a valid token and the headers given. */
async function raw(app: ServedApp, requestLine: string, headers: Record<string, string>, body = ""): Promise<string> {
  const lines = Object.entries({ authorization: `Bearer ${ADMIN_TOKEN}`, connection: "close", ...headers });
  const head = [requestLine, ...lines.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  return await sendRaw(app.port, head + body);
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(answer)?.[1] ?? NaN);
}

Deno.test("a foreign Host is refused even with the token: a rebound name sends its own", async () => {
  await using app = await serveApp();
  const { port } = app;
  for (
    const host of [
      `evil.example:${port}`,
      "localhost",
      `localhost:${port + 1}`,
      `127.0.0.1.evil.example:${port}`,
      `localhost:${port}, evil.example`,
      `localhost:${port}@evil.example`,
      `0.0.0.0:${port}`,
      "",
    ]
  ) {
    equal(statusOf(await raw(app, "GET /tokens HTTP/1.1", { host })), 403, host);
  }
  equal(statusOf(await raw(app, "GET /tokens HTTP/1.0", {})), 403, "no Host at all");
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, `LOCALHOST:${port}`]) {
    equal(statusOf(await raw(app, "GET /tokens HTTP/1.1", { host })), 200, host);
  }
});

Deno.test("a foreign Origin is refused even with the token; our own must match in scheme, host and port", async () => {
  await using app = await serveApp();
  const host = `127.0.0.1:${app.port}`;
  const origins = ["https://evil.example", "null", `https://${host}`, `http://localhost:${app.port}`];
  for (const origin of [...origins, "http://127.0.0.1", `http://127.0.0.1:${app.port + 1}`]) {
    equal(statusOf(await raw(app, "GET /tokens HTTP/1.1", { host, origin })), 403, origin);
    equal(statusOf(await raw(app, "GET /proof HTTP/1.1", { host, origin })), 403, origin);
    equal(statusOf(await raw(app, "OPTIONS /tokens HTTP/1.1", { host, origin })), 403, "no preflight succeeds");
  }
  for (const site of ["cross-site", "same-site"]) {
    equal(statusOf(await raw(app, "GET /tokens HTTP/1.1", { host, "sec-fetch-site": site })), 403, site);
  }
  equal(statusOf(await raw(app, "GET /tokens HTTP/1.1", { host, origin: `http://${host}` })), 200);
});

Deno.test("over TCP every route but /proof needs the token, also those that do not exist", async () => {
  await using app = await serveApp();
  const wrong = ADMIN_TOKEN.replace("5a", "5b");
  const values = [
    "",
    wrong,
    `Bearer ${wrong}`,
    `Basic ${ADMIN_TOKEN}`,
    ADMIN_TOKEN,
    `Bearer ${ADMIN_TOKEN}0`,
    "Bearer ",
  ];
  for (
    const path of ["/tokens", "/tokens/alice", "/status", "/nowhere", "/proof/", "/proof/x", "//proof"]
  ) {
    for (const authorization of values) {
      const answer = await fetch(app.url + path, { headers: { authorization } });
      equal(answer.status, 401, `${path} with ${authorization}`);
      equal(answer.headers.get("www-authenticate"), "Bearer");
      equal(await kindOf(answer), "token_invalid");
    }
  }
  equal((await fetch(`${app.url}/tokens?access_token=${ADMIN_TOKEN}`)).status, 401, "not in the query");
  equal((await app.call("GET", "/tokens")).status, 200);
});

Deno.test("a form post from another site changes nothing", async () => {
  await using app = await serveApp();
  const host = `127.0.0.1:${app.port}`;
  const body = "user=mallory&role=member";
  const type = "application/x-www-form-urlencoded";
  const form = { host, "content-type": type, "content-length": String(body.length) };
  // What a browser sends; then what one too old to send Origin would; each as if the token had leaked into the page.
  equal(statusOf(await raw(app, "POST /tokens HTTP/1.1", { ...form, origin: "http://evil.example" }, body)), 403);
  equal(statusOf(await raw(app, "POST /tokens HTTP/1.1", form, body)), 400);
  equal(statusOf(await raw(app, "POST /secrets/rotate HTTP/1.1", { ...form, "content-length": "0" })), 400);
  deepEqual(app.vault.calls, []);
});

Deno.test("GET /proof is open, proves the token for this port, and answers unknown ids in the same form", async () => {
  await using app = await serveApp();
  const digest = digestAdminToken(ADMIN_TOKEN);
  const ask = async (id: string) => {
    const answer = await fetch(`${app.url}/proof?nonce=${NONCE}&id=${id}`);
    return { status: answer.status, names: [...answer.headers.keys()].sort(), body: await answer.json() };
  };
  const known = await ask(adminTokenId(digest));
  deepEqual(known.body, { proof: proveAdminToken(digest, NONCE, app.port) });
  const unknown = await ask("0".repeat(16));
  equal(unknown.status, known.status);
  deepEqual(unknown.names, known.names);
  match(unknown.body.proof, /^[0-9a-f]{64}$/);
  deepEqual(unknown.body, (await ask("0".repeat(16))).body, "asked again, the same answer, as for a known id");
  notEqual(unknown.body.proof, (await ask("1".repeat(16))).body.proof);
  notEqual(unknown.body.proof, known.body.proof);
});

Deno.test("GET /proof refuses other nonces and ids, and no other method is open", async () => {
  await using app = await serveApp();
  const id = adminTokenId(digestAdminToken(ADMIN_TOKEN));
  // With the nonce one character longer, the proof of port 1 would read as one for this port with a digit before it.
  const nonces = ["", "short", `${NONCE}1`, "a".repeat(136), "a b".padEnd(16, "c"), "%00".repeat(16)];
  for (const nonce of nonces) equal((await fetch(`${app.url}/proof?nonce=${nonce}&id=${id}`)).status, 400, nonce);
  for (const other of ["", "g".repeat(16), id.slice(1), id.toUpperCase() + "0", ADMIN_TOKEN]) {
    equal((await fetch(`${app.url}/proof?nonce=${NONCE}&id=${other}`)).status, 400, other);
  }
  const post = await fetch(`${app.url}/proof?nonce=${NONCE}&id=${id}`, { method: "POST" });
  equal(post.status, 405);
  await post.body?.cancel();
});

Deno.test("an oversized body is refused before it is read, with and without its length said", async () => {
  await using app = await serveApp();
  const host = `127.0.0.1:${app.port}`;
  const json = { host, "content-type": "application/json" };
  const said = await raw(app, "POST /tokens HTTP/1.1", { ...json, "content-length": "1073741824" }, '{"user":');
  equal(statusOf(said), 400);
  match(said, /larger than 1 MiB/);
  const chunk = `10000\r\n${" ".repeat(65_536)}\r\n`;
  const unsaid = await raw(app, "POST /tokens HTTP/1.1", { ...json, "transfer-encoding": "chunked" }, chunk.repeat(17));
  match(unsaid, /larger than 1 MiB/);
  equal((await app.call("GET", "/tokens")).status, 200);
});

Deno.test("a body that trickles in is cut off, and others are answered meanwhile", async () => {
  await using app = await serveApp({ bodyTimeoutMs: 300 });
  const host = `127.0.0.1:${app.port}`;
  const started = ownNow();
  const headers = { host, "content-type": "application/json", "content-length": "1000" };
  const head = Object.entries({ ...headers, authorization: `Bearer ${ADMIN_TOKEN}` }).map(([name, value]) =>
    `${name}: ${value}`
  );
  const slow = sendRaw(app.port, ["POST /tokens HTTP/1.1", ...head, "", '{"user":'].join("\r\n"));
  equal((await app.call("GET", "/tokens")).status, 200);
  const answer = await slow;
  equal(statusOf(answer), 400);
  match(answer, /did not arrive within 0\.3 s/);
  ok(ownNow() - started < 5000);
  deepEqual(app.vault.calls, []);
});

Deno.test("a caller that goes away in the middle of its body leaves nothing behind", async () => {
  await using app = await serveApp({ bodyTimeoutMs: 500 });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: app.port });
  const head = `POST /tokens HTTP/1.1\r\nhost: 127.0.0.1:${app.port}\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n` +
    `content-type: application/json\r\ncontent-length: 100\r\n\r\n{"user":"a",`;
  await connection.write(new TextEncoder().encode(head));
  await new Promise((resolve) => setTimeout(resolve, 50));
  connection.close();
  equal((await app.call("GET", "/tokens")).status, 200);
  deepEqual(app.vault.calls, []);
  doesNotMatch(app.logger.names().join(), /failed/);
});

Deno.test("work for a caller that has gone away is told to stop", async () => {
  await using app = await serveApp();
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: noteBegin } = Promise.withResolvers<void>();
  app.vault.envelopes.rewrap = (_envelopes, signal) => {
    noteBegin();
    signal?.addEventListener("abort", () => resolve());
    return stopped.then(() => []);
  };
  const gone = new AbortController();
  const call = fetch(`${app.url}/rewrap`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    body: '{"envelopes":["x"]}',
    signal: gone.signal,
  });
  await begun;
  gone.abort();
  await call.catch((error: Error) => equal(error.name, "AbortError"));
  await stopped;
});

Deno.test("broken frames are answered or dropped, and the listener goes on", async () => {
  await using app = await serveApp();
  const frames = [
    "\x00\x01\x02\x03\r\n\r\n",
    "GET\r\n\r\n",
    `GET /${"x".repeat(1_000_000)} HTTP/1.1\r\nhost: localhost:${app.port}\r\n\r\n`,
    `GET /tokens HTTP/1.1\r\nhost: localhost:${app.port}\r\nx: ${"y".repeat(1_000_000)}\r\n\r\n`,
    `POST /tokens HTTP/1.1\r\nhost: localhost:${app.port}\r\ncontent-length: -5\r\n\r\n`,
    `POST /tokens HTTP/1.1\r\nhost: localhost:${app.port}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00",
  ];
  for (const frame of frames) {
    doesNotMatch(await sendRaw(app.port, frame, 300), /^HTTP\/1\.1 200/, frame.slice(0, 40));
    equal((await app.call("GET", "/tokens")).status, 200);
  }
});

Deno.test("100,000 tokens are streamed whole, in order, and do not hold up the event loop", async () => {
  await using app = await serveApp();
  for (let i = 0; i < 100_000; i++) app.vault.rows.set(`user-${i}`, fakeToken(`user-${i}`, i, 90));
  (await app.call("GET", "/tokens?limit=2000")).body?.cancel();
  const list100k = async () => {
    const answer = await app.call("GET", "/tokens");
    let bytes = 0;
    for await (const chunk of answer.body!) bytes += chunk.length;
    ok(bytes > 8_000_000, `${bytes} bytes`);
  };
  // Other work on the machine only ever makes a pause longer: one short one is enough.
  let pause = Infinity;
  for (let attempt = 0; attempt < 8 && pause >= 100; attempt++) pause = Math.min(pause, await longestPause(list100k));
  // Made in one piece they take 200 ms and more; in slices, 5 ms on an idle machine.
  ok(pause < 100, `${pause} ms`);
  const list = await (await app.call("GET", "/tokens")).json();
  equal(list.tokens.length, 100_000);
  equal(list.tokens[99_999].user, "user-99999");
});

/** How much later than asked a 1 ms timer fires at worst while `work` runs. */
async function longestPause(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = ownNow();
  const timer = setInterval(() => {
    const now = ownNow();
    longest = Math.max(longest, now - last - 1);
    last = now;
  }, 1);
  await work();
  clearInterval(timer);
  return longest;
}

Deno.test("refused attempts are logged once a minute with their number, not line by line", async () => {
  await using app = await serveApp();
  const attempt = async () => await (await fetch(`${app.url}/tokens`)).body?.cancel();
  for (let i = 0; i < 5; i++) await attempt();
  app.clock.advance(61_000);
  await attempt();
  const refused = app.logger.events.filter((entry) => entry.event === "admin_refused");
  deepEqual(refused.map((entry) => entry.fields["count"]), [1, 5]);
  doesNotMatch(app.logger.text(), /adm_/);
});
