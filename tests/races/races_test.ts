/**
 * Many callers at once on one thing: afterwards exactly what was allowed has passed, and nothing that was answered is
 * undone.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { status } from "@grpc/grpc-js";
import type { IssuedTokenBody, RoleRow, TokenDetail, UserRow } from "../../admin/wire.ts";
import { type AdminAnswer, AdminHttp, type Ended, VaultClient } from "../clients.ts";
import { StartedServer } from "../started_server.ts";
import { Callers, History, tally, type Timed, timed, together } from "./timed_calls.ts";

const CALLERS = 200;
const MAX_TEST_MS = 60_000;
/** Streams of one connection are handed out one after the other; several connections make calls cross. */
const CONNECTIONS = 8;
const BUSY_SCOPES = ["get_public_key", "decrypt_metadata"];

let server: StartedServer;
let admin: AdminHttp;
let clients: VaultClient[] = [];

Deno.test.beforeAll(async () => {
  server = await StartedServer.start();
  admin = AdminHttp.of(server);
  clients = Array.from({ length: CONNECTIONS }, () => VaultClient.of(server));
  await admin.createRole("busy", BUSY_SCOPES);
  await admin.createRole("ten", ["get_public_key"], "10/60s");
});

Deno.test.afterAll(async () => {
  for (const client of clients) client[Symbol.dispose]();
  admin[Symbol.dispose]();
  await server.stop();
});

/** A test that fails where it takes too long. */
function race(name: string, body: () => Promise<void>): void {
  Deno.test(name, async () => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`It took longer than ${MAX_TEST_MS} ms`)), MAX_TEST_MS);
    });
    await Promise.race([body(), late]).finally(() => clearTimeout(timer));
  });
}

/**
 * Has all callers ask the admin API at once, over connections of their own. The port has fewer places than that and
 * makes room by closing connections that rest, so nobody goes on with one from before.
 */
async function askAtOnce<T>(ask: (admin: AdminHttp, index: number) => Promise<T>): Promise<T[]> {
  using crowd = AdminHttp.of(server);
  const answers = await together(CALLERS, (index) => ask(crowd, index));
  admin[Symbol.dispose]();
  admin = AdminHttp.of(server);
  return answers;
}

function client(index: number): VaultClient {
  return clients[index % clients.length]!;
}

async function codeOf(call: Promise<Ended<unknown>>): Promise<status> {
  return (await call).code;
}

/** A call that needs nothing but a live token of a role like `busy`, each time by another method. */
function use(token: string, caller: number, turn = 0): Promise<status> {
  const vault = client(caller);
  const methods = [() => vault.manifest(token), () => vault.seal(token, ["x"]), () => vault.open(token, [])];
  return codeOf(methods[(caller + turn) % methods.length]!());
}

async function aliveAmong(tokens: readonly string[]): Promise<string[]> {
  const codes = await together(tokens.length, (i) => use(tokens[i]!, i));
  return tokens.filter((_, i) => codes[i] === status.OK);
}

function agentIdOf(token: string): string {
  return createHash("sha256").update(token).digest("hex").slice(0, 32);
}

function statuses(answers: readonly AdminAnswer<unknown>[]): Record<string, number> {
  return tally(answers.map((answer) => answer.status));
}

race("of 200 that issue one name at once, exactly one gets a token", async () => {
  const issue = (admin: AdminHttp, user: string) => {
    return admin.ask<IssuedTokenBody>("POST", "/tokens", { user, role: "busy" });
  };
  const answers = await askAtOnce((admin) => issue(admin, "issued"));
  deepEqual(statuses(answers), { 201: 1, 409: CALLERS - 1 });
  const { token, agent_id } = answers.find((answer) => answer.status === 201)!.body;
  equal(agent_id, agentIdOf(token));
  equal(await use(token, 0), status.OK);
  // Names that differ in case alone would be one name to people.
  const spelled = await askAtOnce((admin, i) => issue(admin, ["Clash", "clash", "CLASH"][i % 3]!));
  deepEqual(statuses(spelled), { 201: 1, 409: CALLERS - 1 });
  const { users } = await admin.expect<{ users: UserRow[] }>("GET", "/users");
  equal(users.filter(({ name }) => /^(issued|clash)$/i.test(name)).length, 2);
});

race("of 200 that make one role at once, exactly one makes it", async () => {
  const wanted = { name: "made", scope: ["get_dek"], top_k: 1, rate_limit: "1/1s" };
  const answers = await askAtOnce((admin, i) => admin.ask("POST", "/roles", { ...wanted, top_k: 1 + i }));
  deepEqual(statuses(answers), { 201: 1, 409: CALLERS - 1 });
  const winner = answers.findIndex((answer) => answer.status === 201);
  equal((await admin.expect<RoleRow>("GET", "/roles/made")).top_k, 1 + winner);
});

race(
  "after 200 rotations at once each gave a token of its own, exactly one is alive: the one that is shown",
  async () => {
    const first = await admin.issue("rotated", "busy");
    const tokens = await askAtOnce((admin) => admin.rotate("rotated"));
    equal(new Set([first, ...tokens]).size, CALLERS + 1);
    const alive = await aliveAmong([first, ...tokens]);
    equal(alive.length, 1);
    equal((await admin.expect<TokenDetail>("GET", "/tokens/rotated")).agent_id, agentIdOf(alive[0]!));
  },
);

race("after 200 rotations with a grace at once, exactly two are alive", async () => {
  const first = await admin.issue("graced", "busy");
  const tokens = await askAtOnce((admin) => admin.rotate("graced", 600));
  equal((await aliveAmong([first, ...tokens])).length, 2);
  await admin.revoke("graced");
  deepEqual(await aliveAmong([first, ...tokens]), []);
});

race("each token that a rotation answers is good in its turn, and never once a later one was answered", async () => {
  await admin.issue("turns", "busy");
  const rotations: Timed<string>[] = [];
  const uses = await together(10, async (caller) => {
    const mine: { readonly rotation: Timed<string>; readonly use: Timed<status> }[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const rotation = await timed(() => admin.rotate("turns"));
      rotations.push(rotation);
      mine.push({ rotation, use: await timed(() => use(rotation.result, caller, turn)) });
    }
    return mine;
  });
  equal(rotations.length, 200);
  let good = 0;
  for (const { rotation, use } of uses.flat()) {
    const others = rotations.filter((other) => other !== rotation);
    const isOver = others.some((other) => other.began > rotation.ended && other.ended < use.began);
    const mayBeOver = others.some((other) => other.ended > rotation.began && other.began < use.ended);
    if (use.result === status.OK) good++;
    if (use.result === status.OK) ok(!isOver, "a token works after a later one was answered");
    else ok(use.result === status.UNAUTHENTICATED && mayBeOver, `${status[use.result]} for the newest token`);
  }
  ok(good > 0);
});

race("no call that begins after a revocation was answered is served, and each before it is", async () => {
  let [before, after] = [0, 0];
  for (let round = 0; round < 20; round++) {
    const user = `revoked${round}`;
    const old = await admin.issue(user, "busy");
    // In every other round an older token is in its grace: a revocation ends that one, too.
    const tokens = round % 2 === 0 ? [old] : [old, await admin.rotate(user, 600)];
    const callers = new Callers(20, (caller, turn) => use(tokens[caller % tokens.length]!, caller, turn));
    await callers.calls(40);
    const revocation = await timed(() => admin.revoke(user));
    await callers.calls(60);
    for (const { began, ended, result } of await callers.stop()) {
      if (ended < revocation.began) before++;
      if (began > revocation.ended) after++;
      if (ended < revocation.began) equal(result, status.OK);
      else if (began > revocation.ended) equal(result, status.UNAUTHENTICATED);
      else ok(result === status.OK || result === status.UNAUTHENTICATED, status[result]);
    }
  }
  ok(before >= 20 * 40 && after >= 20 * 20, `${before} calls before, ${after} after`);
});

race("a long call that was let in before its token was revoked gets no answer after", async () => {
  // A machine with other work may end all calls before the revocation: larger ones won't.
  for (const length of [10_000, 20_000, 40_000, 80_000]) if (await isCutOff(length)) return;
  ok(false, "every call was answered");
});

/** Whether a call that was let in got no answer, its token having been revoked meanwhile. */
async function isCutOff(length: number): Promise<boolean> {
  const [role, user, measured] = [`four${length}`, `long${length}`, `measured${length}`];
  const texts = Array.from({ length }, (_, i) => `${i}`);
  const seal = (token: string, i: number) => client(i).seal(token, texts, { deadlineMs: MAX_TEST_MS });
  const ofMeasured = await admin.issue(measured, "busy");
  const alone = await timed(() => seal(ofMeasured, 0));
  equal(alone.result.code, status.OK);
  await admin.createRole(role, BUSY_SCOPES, "4/600s");
  const token = await admin.issue(user, role);
  const calls = together(4, (i) => seal(token, i));
  // Together they take four times as long as one alone: by then they are under way, and none is near its end.
  await new Promise((resolve) => setTimeout(resolve, (alone.ended - alone.began) / 2));
  await admin.revoke(user);
  const codes = (await calls).map(({ code }) => code);
  ok(codes.every((code) => code === status.OK || code === status.UNAUTHENTICATED), String(codes));
  // Whoever was let in has taken a place in the user's window; there are four.
  const letIn = await use(await admin.issue(user, role), 0) === status.RESOURCE_EXHAUSTED;
  return letIn && codes.includes(status.UNAUTHENTICATED);
}

race(
  "of 200 calls at once exactly as many pass as the window has places, whatever they ask and with which token",
  async () => {
    const token = await admin.issue("windowed", "ten");
    const ended = await together(CALLERS, (i) => client(i).manifest(token));
    deepEqual(tally(ended.map(({ code }) => status[code])), { OK: 10, RESOURCE_EXHAUSTED: CALLERS - 10 });
    const refused = ended.find(({ code }) => code === status.RESOURCE_EXHAUSTED)!;
    ok(/\b(5[0-9]|60)\b/.test(refused.details + JSON.stringify(refused.trailers.getMap())), "the seconds are said");

    // A call that the scope refuses takes a place too.
    const mixed = await admin.issue("windowed2", "ten");
    const codes = await together(
      CALLERS,
      (i) => codeOf(i % 2 ? client(i).manifest(mixed) : client(i).seal(mixed, ["x"])),
    );
    const counts = tally(codes.map((code) => status[code]));
    equal((counts["OK"] ?? 0) + (counts["PERMISSION_DENIED"] ?? 0), 10, JSON.stringify(counts));
    equal(counts["RESOURCE_EXHAUSTED"], CALLERS - 10);

    // One window a user, not a token: neither a second one nor a new one opens another.
    const older = await admin.issue("windowed3", "ten");
    const newer = await admin.rotate("windowed3", 600);
    const both = await together(CALLERS, (i) => codeOf(client(i).manifest(i % 2 ? older : newer)));
    deepEqual(tally(both.map((code) => status[code])), { OK: 10, RESOURCE_EXHAUSTED: CALLERS - 10 });
    await admin.revoke("windowed3");
    const again = await admin.issue("windowed3", "ten");
    equal(await codeOf(client(0).manifest(again)), status.RESOURCE_EXHAUSTED);
  },
);

/** Fails unless each call ended as one of the states that it may have met says. */
function assertFollows<State>(
  calls: readonly Timed<status>[],
  history: History<State>,
  codeIn: (state: State) => status,
): void {
  const sure = { good: 0, refused: 0 };
  for (const call of calls) {
    const possible = new Set(history.during(call).map(codeIn));
    ok(possible.has(call.result), `${status[call.result]}, expected ${[...possible].map((code) => status[code])}`);
    if (possible.size === 1) call.result === status.OK ? sure.good++ : sure.refused++;
  }
  ok(sure.good > 10 && sure.refused > 10, `too few calls that met one state: ${JSON.stringify(sure)}`);
}

race("a role's new scope binds every call that begins after it was answered, and its new limit too", async () => {
  await admin.createRole("changing", BUSY_SCOPES);
  const token = await admin.issue("changed", "changing");
  const history = new History(true);
  const callers = new Callers(20, (caller) => codeOf(client(caller).seal(token, ["x"])));
  for (let i = 0; i < 20; i++) {
    const mayOpen = i % 2 === 1;
    await callers.calls(60);
    const scope = mayOpen ? BUSY_SCOPES : ["get_public_key"];
    await history.change(mayOpen, () => admin.expect("PUT", "/roles/changing", { scope }));
  }
  await callers.calls(60);
  assertFollows(await callers.stop(), history, (mayOpen) => mayOpen ? status.OK : status.PERMISSION_DENIED);
  await admin.expect("PUT", "/roles/changing", { rate_limit: "1/60s" });
  equal(await codeOf(client(0).manifest(token)), status.RESOURCE_EXHAUSTED);
});

race("a disabled user's calls are refused from the answer on, and served again from that of enabling", async () => {
  const token = await admin.issue("switched", "busy");
  const history = new History(true);
  const callers = new Callers(20, (caller, turn) => use(token, caller, turn));
  for (let i = 0; i < 20; i++) {
    const isEnabled = i % 2 === 1;
    await callers.calls(60);
    const path = `/users/switched/${isEnabled ? "enable" : "disable"}`;
    await history.change(isEnabled, () => admin.expect("POST", path));
  }
  await callers.calls(60);
  assertFollows(await callers.stop(), history, (isEnabled) => isEnabled ? status.OK : status.UNAUTHENTICATED);
});

race("a role is deleted or a token of it issued, never both and never neither", async () => {
  const wins = { deleted: 0, issued: 0 };
  for (let round = 0; round < 60; round++) {
    const name = `doomed${round}`;
    await admin.createRole(name, BUSY_SCOPES);
    const remove = () => admin.ask("DELETE", `/roles/${name}`);
    const issue = () => admin.ask<IssuedTokenBody>("POST", "/tokens", { user: name, role: name });
    const change = () => admin.ask("PUT", `/roles/${name}`, { top_k: 7 });
    const [first, second, changed] = await Promise.all(
      round % 2 === 0 ? [remove(), issue(), change()] : [issue(), remove(), change()],
    );
    const [removed, issued] = round % 2 === 0 ? [first, second] : [second, first];
    ok([200, 404].includes(changed.status), `the change was answered ${changed.status}`);
    const { roles } = await admin.expect<{ roles: RoleRow[] }>("GET", "/roles");
    const isThere = roles.some((role) => role.name === name);
    if (removed.status === 200) {
      wins.deleted++;
      equal(issued.status, 404);
      ok(!isThere, "a deleted role is there again");
    } else {
      wins.issued++;
      deepEqual([removed.status, issued.status, isThere], [400, 201, true]);
      equal(await use((issued.body as IssuedTokenBody).token, round), status.OK);
    }
  }
  ok(wins.deleted > 0 && wins.issued > 0, JSON.stringify(wins));
});

race("what is sealed while the team secret is rotated is of the newest version or the next, and opens", async () => {
  const token = await admin.issue("sealer", "busy");
  const versions = new History(await newestVersion());
  const sealed: { readonly envelope: string; readonly text: string }[] = [];
  const callers = new Callers(20, async (caller, turn) => {
    const text = `text ${caller} ${turn}`;
    const { message } = await client(caller).seal(token, [text]);
    const envelope = message!.envelopes[0]!;
    sealed.push({ envelope, text });
    const other = sealed[(caller * 31 + turn * 17) % sealed.length]!;
    const opened = await client(caller + 1).open(token, [other.envelope]);
    equal(opened.message?.decryptedMetadata[0], other.text, opened.details);
    return (JSON.parse(envelope) as { k: number }).k;
  });
  for (let i = 0; i < 15; i++) {
    await callers.calls(20);
    const next = versions.during({ began: Infinity, ended: Infinity }).at(-1)! + 1;
    equal(await versions.change(next, () => rotateSecret()), next);
  }
  await callers.calls(20);
  for (const call of await callers.stop()) {
    const possible = versions.during(call);
    ok(possible.includes(call.result), `sealed under ${call.result} where ${possible} was the newest`);
  }
  const { message, details } = await client(0).open(token, sealed.map(({ envelope }) => envelope));
  deepEqual(message?.decryptedMetadata, sealed.map(({ text }) => text), details);
});

race("what a retired version of the team secret sealed is opened by no call that begins after the answer", async () => {
  const token = await admin.issue("opener", "busy");
  const { message } = await client(0).seal(token, ["kept"]);
  const envelope = message!.envelopes[0]!;
  const version = await newestVersion();
  equal(await rotateSecret(), version + 1);
  const history = new History(true);
  const callers = new Callers(20, (caller) => codeOf(client(caller).open(token, [envelope])));
  await callers.calls(60);
  await history.change(false, () => admin.expect("POST", `/secrets/${version}/retire`));
  await callers.calls(60);
  assertFollows(await callers.stop(), history, (opens) => opens ? status.OK : status.INVALID_ARGUMENT);
});

async function newestVersion(): Promise<number> {
  const { secrets } = await admin.expect<{ secrets: { version: number }[] }>("GET", "/secrets");
  return Math.max(...secrets.map(({ version }) => version));
}

async function rotateSecret(): Promise<number> {
  return (await admin.expect<{ version: number }>("POST", "/secrets/rotate")).version;
}

race("200 callers that do everything to one user at once leave one truth: what is shown is what works", async () => {
  for (let round = 0; round < 3; round++) {
    const user = `mixed${round}`;
    const tokens = [await admin.issue(user, "busy")];
    const answers = await askAtOnce(async (admin, i) => {
      const answer = await doSomething(admin, user, i);
      if (answer.status < 300 && "token" in answer.body) tokens.push(String(answer.body.token));
      return answer.status;
    });
    const unexpected = answers.filter((code) => ![200, 201, 400, 404, 409].includes(code));
    deepEqual(unexpected, []);
    await admin.expect("POST", `/users/${user}/enable`);
    const shown = await admin.expect<UserRow>("GET", `/users/${user}`);
    const alive = await aliveAmong(tokens);
    deepEqual(alive.map(agentIdOf), shown.token === null ? [] : [shown.token.agent_id]);
    // Disabled, and none is left.
    await admin.expect("POST", `/users/${user}/disable`);
    deepEqual(await aliveAmong(tokens), []);
  }
});

function doSomething(admin: AdminHttp, user: string, i: number): Promise<AdminAnswer<{ readonly token?: unknown }>> {
  switch (i % 5) {
    case 0:
      return admin.ask("POST", "/tokens", { user, role: "busy" });
    case 1:
      return admin.ask("POST", `/tokens/${user}/rotate`, {});
    case 2:
      return admin.ask("DELETE", `/tokens/${user}`);
    case 3:
      return admin.ask("POST", `/users/${user}/disable`);
    default:
      return admin.ask("POST", `/users/${user}/enable`);
  }
}
