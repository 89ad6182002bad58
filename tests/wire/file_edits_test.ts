/**
 * The two YAML files as an input: edits that are taken at SIGHUP and at a start, edits that are refused, and attempts
 * to bring a dead token back by them.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { status } from "@grpc/grpc-js";
import type { FileRow, RoleRow, StatusReport } from "../../admin/wire.ts";
import { AdminHttp, cli, eventually, VaultClient } from "../clients.ts";
import { findTraces } from "../secret_traces.ts";
import { StartedServer, type StartOptions, temporaryFolder } from "../started_server.ts";

/** A running vault whose files a test edits. */
class Edited implements AsyncDisposable {
  server: StartedServer;
  vault: VaultClient;
  admin: AdminHttp;

  private constructor(server: StartedServer) {
    this.server = server;
    this.vault = VaultClient.of(server);
    this.admin = AdminHttp.of(server);
  }

  static async start(options: StartOptions = {}): Promise<Edited> {
    return new Edited(await StartedServer.start(options));
  }

  path(name: string): string {
    return `${this.server.dataDir}/vault-${name}.yml`;
  }

  async fileRow(name: string): Promise<FileRow> {
    const { files } = await this.admin.expect<{ files: FileRow[] }>("GET", "/files");
    return files.find((file) => file.name === name)!;
  }

  /** The text of a file once every change is in it. */
  async read(name: string): Promise<string> {
    await eventually(`${name} is written`, async () => (await this.fileRow(name)).state === "written");
    return await Deno.readTextFile(this.path(name));
  }

  /** Replaces a file and has it read. */
  async edit(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(this.path(name), text, { mode: 0o600 });
    this.server.signal("SIGHUP");
  }

  /** The same, and waits until this edit, and no earlier one, was refused. */
  async editRefused(name: string, text: string): Promise<string> {
    const refusals = () => this.server.log.match(/"file_edit_refused"/g)?.length ?? 0;
    const before = refusals();
    await this.edit(name, text);
    await eventually(`${name} is refused`, () => refusals() > before);
    equal(await Deno.readTextFile(this.path(name)), text, "a refused file is left as it is");
    const { state, reason } = await this.fileRow(name);
    equal(state, "refused");
    return reason!;
  }

  async isAlive(token: string): Promise<boolean> {
    const { code } = await this.vault.manifest(token);
    ok(code === status.OK || code === status.UNAUTHENTICATED, status[code]);
    return code === status.OK;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.vault[Symbol.dispose]();
    this.admin[Symbol.dispose]();
    await this.server.stop();
  }
}

function sha256(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** A row as the vault writes it. */
function row(user: string, token: string, role = "member"): string {
  const hash = sha256(token);
  return `  - user: ${user}\n    token_hash: sha256:${hash}\n    agent_id: '${hash.slice(0, 32)}'\n    role: ${role}\n`;
}

function newToken(): string {
  return `evt_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** The text with one row more. */
function withRow(text: string, more: string): string {
  return text.replace("tokens: []\n", "tokens:\n") + more;
}

/** The text without a user's row. */
function withoutUser(text: string, user: string): string {
  return text.replace(new RegExp(`  - user: ${user}\n(    .*\n)*`), "").replace(/tokens:\n$/, "tokens: []\n");
}

Deno.test("SIGHUP takes a good edit: roles at once, new users, removed rows as revocations", async () => {
  await using it = await Edited.start();
  const [kept, removed] = [await it.admin.issue("kept"), await it.admin.issue("removed")];
  const roles = (await it.read("roles")).replace(/(member:\n.*\n {4}top_k: )10/, "$17");
  await it.edit("roles", `${roles}  fresh:\n    scope: [get_bundle]\n    top_k: 2\n    rate_limit: 3/4s\n`);
  const members = async () => (await it.admin.expect<RoleRow>("GET", "/roles/member")).top_k;
  await eventually("the role is changed", async () => await members() === 7);
  deepEqual(await it.admin.expect("GET", "/roles/fresh"), {
    name: "fresh",
    scope: ["get_bundle"],
    top_k: 2,
    rate_limit: "3/4s",
  });

  const [plain, hashed] = [newToken(), newToken()];
  const tokens = withoutUser(await it.read("tokens"), "removed");
  await it.edit(
    "tokens",
    withRow(tokens, `  - {user: plain, token: ${plain}, role: member}\n${row("hashed", hashed)}`),
  );
  await eventually("the new users are in", () => it.isAlive(plain));
  ok(await it.isAlive(hashed) && await it.isAlive(kept));
  equal(await it.isAlive(removed), false);
  const after = await it.read("tokens");
  ok(!after.includes(plain) && after.includes(sha256(plain)), "the plain token left the file as a hash");
  match(it.server.log, /file_edit_applied.*"row":"removed","change":"removed"/);
  deepEqual(findTraces("the log", it.server.log, { plain, kept, removed }), []);
});

Deno.test("a good edit made while the server was down is taken at its start", async () => {
  await using folder = await temporaryFolder();
  const before = await Edited.start({ dataDir: folder.path });
  const alice = await before.admin.issue("alice");
  const text = await before.read("tokens");
  await before[Symbol.asyncDispose]();
  const token = newToken();
  await Deno.writeTextFile(before.path("tokens"), withRow(withoutUser(text, "alice"), row("bob", token)));
  await using after = await Edited.start({ dataDir: folder.path });
  deepEqual([await after.isAlive(token), await after.isAlive(alice)], [true, false]);
});

/** Invalid contents of `vault-roles.yml`: what is wrong, the text, the line, and what else the message names. */
const BAD_ROLES: readonly [what: string, text: string, line: number, key: string | RegExp][] = [
  ["a rate of nothing", "scope: [get_bundle]\n    top_k: 1\n    rate_limit: 0/0s", 6, "rate_limit"],
  ["a rate of too much", "scope: [get_bundle]\n    top_k: 1\n    rate_limit: 999999999999/1s", 6, "rate_limit"],
  ["a negative top_k", "scope: [get_bundle]\n    top_k: -1\n    rate_limit: 1/1s", 5, "top_k"],
  ["a top_k that is text", "scope: [get_bundle]\n    top_k: ten\n    rate_limit: 1/1s", 5, "top_k"],
  ["an unknown scope", "scope: [everything]\n    top_k: 1\n    rate_limit: 1/1s", 4, /scope.*everything/],
  ["a missing field", "scope: [get_bundle]\n    top_k: 1", 3, "rate_limit"],
  ["an unknown key", "scope: [get_bundle]\n    top_k: 1\n    rate_limit: 1/1s\n    rate_limt: 2/1s", 7, "rate_limt"],
  ["a doubled key", "scope: [get_bundle]\n    top_k: 1\n    top_k: 2\n    rate_limit: 1/1s", 6, "twice"],
  ["broken YAML", 'scope: [get_bundle\n    top_k: "', 5, ""],
];

Deno.test("an invalid file stops the start with 78, line and key, and changes nothing", async (t) => {
  await using folder = await temporaryFolder();
  const first = await Edited.start({ dataDir: folder.path });
  await first.admin.createRole("custom", ["get_bundle"]);
  const token = await first.admin.issue("alice", "custom");
  const good = await first.read("roles");
  const generation = /generation: (\d+)/.exec(good)![1];
  await first[Symbol.asyncDispose]();
  const path = first.path("roles");
  const others: typeof BAD_ROLES = [
    [
      "a YAML bomb",
      `roles:\n  a: &a [${"x,".repeat(50)}]\n  b: &b [${"*a,".repeat(50)}]\n  c: [${"*b,".repeat(50)}]`,
      3,
      "",
    ],
    ["deep nesting", `roles:\n  x: ${"[".repeat(20_000)}`, 3, ""],
    ["a role in use that is gone", "roles:\n  admin:\n    scope: []\n    top_k: 1\n    rate_limit: 1/1s", 0, "custom"],
    [
      "a name that roles may not have",
      'roles:\n  "../x":\n    scope: []\n    top_k: 1\n    rate_limit: 1/1s',
      3,
      "../x",
    ],
    ["a list in place of roles", "roles:\n  - a", 3, "roles"],
    ["another key beside", "roles:\n  # none\nusers: []", 4, "users"],
    ["control characters", "roles:\n  a\u0000b:\n    scope: []", 3, ""],
  ];
  const cases = [
    ...BAD_ROLES.map(([what, body, ...rest]) => [what, `roles:\n  x:\n    ${body}`, ...rest] as const),
    ...others,
  ];
  for (const [what, text, line, key] of cases) {
    await t.step(what, async () => {
      await Deno.writeTextFile(path, `generation: ${generation}\n${text}\n`);
      const { code, log } = await StartedServer.refused({ dataDir: folder.path });
      equal(code, 78, log);
      if (line > 0) ok(log.includes(`${path}, line ${line}: `), log);
      typeof key === "string" ? ok(log.includes(key), log) : match(log, key);
      equal(await Deno.readTextFile(path), `generation: ${generation}\n${text}\n`);
    });
  }
  await t.step("bytes that are not UTF-8", async () => {
    await Deno.writeFile(path, Uint8Array.of(0x72, 0x6f, 0xff, 0xfe));
    const { code, log } = await StartedServer.refused({ dataDir: folder.path });
    equal(code, 78);
    match(log, /not UTF-8/);
  });
  await Deno.writeTextFile(path, good);
  await using after = await Edited.start({ dataDir: folder.path });
  ok(await after.isAlive(token));
});

Deno.test("an invalid edit at SIGHUP is refused as a whole, said in health, and settled by discard", async () => {
  await using it = await Edited.start();
  const alice = await it.admin.issue("alice");
  const good = await it.read("tokens");
  const bob = newToken();
  const reason = await it.editRefused(
    "tokens",
    withRow(good, `${row("bob", bob)}${row("carol", newToken(), "nobody")}`),
  );
  match(reason, /line \d+: .*nobody/);
  deepEqual([await it.isAlive(alice), await it.isAlive(bob)], [true, false], "no half of it is taken");
  const { health, reasons } = await it.admin.expect<StatusReport>("GET", "/status");
  equal(health, "degraded");
  ok(reasons.some((one) => one.includes("nobody")));
  const monitored = await fetch(`http://${it.server.addresses.metrics}/health`);
  deepEqual([monitored.status, (await monitored.json()).status], [200, "degraded"]);

  await it.admin.issue("dave");
  await new Promise((resolve) => setTimeout(resolve, 600));
  ok((await Deno.readTextFile(it.path("tokens"))).includes("nobody"), "nothing is written over a refused edit");
  const { code, stderr } = await cli(it.server, ["file", "take", "tokens"]);
  ok(code !== 0);
  match(stderr, /nobody/);
  equal((await cli(it.server, ["file", "discard", "tokens"])).code, 0);
  const settled = await it.read("tokens");
  ok(settled.includes("user: dave") && !settled.includes("nobody"));
  equal((await it.admin.expect<StatusReport>("GET", "/status")).health, "healthy");
});

Deno.test("an edit of an older text is refused, names what changed since, and can be taken all the same", async () => {
  await using it = await Edited.start();
  const alice = await it.admin.issue("alice");
  const old = await it.read("tokens");
  const bob = await it.admin.issue("bob");
  await it.read("tokens");
  const carol = newToken();
  const reason = await it.editRefused("tokens", withRow(old, row("carol", carol)));
  match(reason, /bob/);
  ok(!reason.includes("alice"));
  deepEqual([await it.isAlive(bob), await it.isAlive(carol)], [true, false]);
  const { stdout } = await cli(it.server, ["file", "diff", "tokens"]);
  match(stdout, /removed +bob/);
  match(stdout, /added +carol/);
  equal((await cli(it.server, ["file", "take", "tokens"])).code, 0);
  deepEqual([await it.isAlive(alice), await it.isAlive(bob), await it.isAlive(carol)], [true, false, true]);
});

Deno.test("a file without a generation is taken whole into a vault that never held a user, and into no other", async () => {
  await using it = await Edited.start();
  await it.read("tokens");
  const alice = newToken();
  const old = `tokens:\n  - {user: alice, token: ${alice}, role: member, created: '2026-03-20'}\n`;
  await it.edit("tokens", old);
  await eventually("alice is in", () => it.isAlive(alice));
  await it.read("tokens");
  const reason = await it.editRefused("tokens", old.replaceAll("alice", "mallory").replace(alice, newToken()));
  match(reason, /no generation/);
  ok(await it.isAlive(alice));
});

Deno.test("no way brings a revoked or rotated token back", async (t) => {
  await using folder = await temporaryFolder();
  let it = await Edited.start({ dataDir: folder.path });
  await using _last = { [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() };
  const [revoked, rotated] = [await it.admin.issue("alice"), await it.admin.issue("bob")];
  const before = await it.read("tokens");
  await it.admin.issue("carol");
  const last = await it.read("tokens");
  await it.admin.revoke("alice");
  const bob = await it.admin.rotate("bob");
  const dead = async () => {
    deepEqual([await it.isAlive(revoked), await it.isAlive(rotated), await it.isAlive(bob)], [false, false, true]);
  };
  const current = await it.read("tokens");
  const generation = /generation: \d+/.exec(current)![0];
  const attempts: Record<string, string> = {
    "a copy from before": before,
    "a copy from before, of today's generation": before.replace(/generation: \d+/, generation),
    "a copy from before without its generation": before.replace(/generation: \d+\n/, ""),
    "its row added again": withRow(current, row("alice", revoked)),
    "its row with the token itself": withRow(current, `  - {user: alice, token: ${revoked}, role: member}\n`),
    "its row under another name": withRow(current, row("mallory", revoked, "admin")),
    "a rotated token's row under another name": withRow(current, `  - {user: eve, token: ${rotated}, role: member}\n`),
    "a rotated token in its user's row": withoutUser(current, "bob") &&
      withRow(withoutUser(current, "bob"), row("bob", rotated)),
    "another hash with its agent id": withRow(
      current,
      row("mallory", newToken()).replace(/agent_id: '.*'/, `agent_id: '${sha256(revoked).slice(0, 32)}'`),
    ),
    "a hash that begins like its own": withRow(
      current,
      row("mallory", revoked).replace(/(sha256:[0-9a-f]{32})[0-9a-f]{32}/, `$1${"0".repeat(32)}`),
    ),
  };
  await dead();
  await t.step("the text that the vault wrote last but one, by SIGHUP", async () => {
    await it.edit("tokens", last);
    await eventually("it is put right again", async () => await Deno.readTextFile(it.path("tokens")) !== last);
    await dead();
  });
  for (const [what, text] of Object.entries(attempts)) {
    await t.step(`${what}, by SIGHUP`, async () => {
      await it.editRefused("tokens", text);
      await dead();
    });
  }
  await t.step("taken in spite of the refusal", async () => {
    equal((await it.admin.ask("POST", "/files/tokens/take")).status >= 400, true);
    await dead();
  });
  await it.admin.expect("POST", "/files/tokens/discard");
  await it[Symbol.asyncDispose]();
  const settled = await Deno.readTextFile(it.path("tokens"));

  for (const [what, text] of Object.entries(attempts)) {
    await t.step(`${what}, at a start`, async () => {
      const now = text.replace(generation, /generation: \d+/.exec(settled)![0]);
      await Deno.writeTextFile(it.path("tokens"), now);
      try {
        it = await Edited.start({ dataDir: folder.path });
      } catch (error) {
        match(String(error), /line \d+/, "an invalid file stops the start");
        return;
      }
      await dead();
      equal((await it.fileRow("tokens")).state, "refused");
      await it[Symbol.asyncDispose]();
    });
  }
  await t.step("no file, and VAULT_TOKENS", async () => {
    await Deno.remove(it.path("tokens"));
    it = await Edited.start({ dataDir: folder.path, env: { VAULT_TOKENS: `${revoked},${rotated}` } });
    await dead();
    ok(!(await it.read("tokens")).includes("legacy_"));
    await it[Symbol.asyncDispose]();
  });
  await t.step("the user issued anew, disabled and enabled", async () => {
    it = await Edited.start({ dataDir: folder.path });
    const anew = await it.admin.issue("alice");
    await it.admin.expect("POST", "/users/alice/disable");
    equal(await it.isAlive(anew), false);
    await it.admin.expect("POST", "/users/alice/enable");
    ok(await it.isAlive(anew));
    await dead();
    await it[Symbol.asyncDispose]();
  });
});

Deno.test("a row that an edit removed stays dead when it is put back", async () => {
  await using it = await Edited.start();
  const alice = await it.admin.issue("alice");
  await it.admin.issue("bob");
  const text = await it.read("tokens");
  await it.edit("tokens", withoutUser(text, "alice"));
  await eventually("alice is out", async () => !await it.isAlive(alice));
  await it.editRefused("tokens", withRow(await it.read("tokens"), row("alice", alice)));
  equal(await it.isAlive(alice), false);
});

Deno.test("a token that stands in the wrong place of a file is not logged", async () => {
  await using it = await Edited.start();
  const token = newToken();
  const good = await it.read("tokens");
  const attempts = {
    "as a role": withRow(good, `  - {user: alice, token: ${newToken()}, role: ${token}}\n`),
    "as a key": withRow(good, `  - {user: alice, ${token}: x, role: member}\n`),
    "as a hash": withRow(good, `  - {user: alice, token_hash: ${token}, role: member}\n`),
    "as a day": withRow(good, `  - {user: alice, token: ${newToken()}, role: member, expires: ${token}}\n`),
    "in broken YAML": withRow(good, `  - {user: alice, token: ${token}, role: [member}\n`),
    "behind a tab": withRow(good, `\ttoken: ${token}\n`),
    "at the top": `${token}: x\n${good}`,
  };
  for (const [what, text] of Object.entries(attempts)) {
    const reason = await it.editRefused("tokens", text);
    deepEqual(findTraces(`the reason, ${what}`, reason, { token }), []);
  }
  deepEqual(findTraces("the log", it.server.log, { token }), []);
});

Deno.test("a hundred SIGHUPs while tokens are issued do no harm", async () => {
  await using it = await Edited.start();
  const issued: string[] = [];
  for (let i = 0; i < 25; i++) {
    for (let n = 0; n < 4; n++) it.server.signal("SIGHUP");
    issued.push(await it.admin.issue(`user${i}`));
  }
  const text = await it.read("tokens");
  for (const token of issued) ok(await it.isAlive(token) && text.includes(sha256(token)));
  equal((await it.admin.expect<StatusReport>("GET", "/status")).health, "healthy");
});
