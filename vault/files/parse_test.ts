import assert from "node:assert/strict";
import { NOW, refused } from "../_test_support.ts";
import { DAY_MS } from "../dates.ts";
import { hashToken } from "../tokens/user_token.ts";
import type { Document, FileName } from "./document.ts";
import { parseFile } from "./parse.ts";

const TODAY = Math.floor(NOW / DAY_MS) * DAY_MS;
const HASH = "0123456789abcdef".repeat(4);
const AGENT_ID = HASH.slice(0, 32);

function roles(text: string): Document<"roles"> {
  return parseFile("roles", "/x/vault-roles.yml", text, "digest");
}

function tokens(text: string): Document<"tokens"> {
  return parseFile("tokens", "/x/vault-tokens.yml", text, "digest");
}

/** Expects a refusal that names the file, the line, and what is wrong. */
function refusedAt(file: FileName, text: string, line: number, reason: RegExp): void {
  const parse = () => parseFile(file, `/x/vault-${file}.yml`, text, "digest");
  assert.throws(parse, (error: unknown) => {
    const { message } = error as Error;
    assert.ok(
      refused("config_invalid", new RegExp(`^/x/vault-${file}\\.yml, line ${line}: `), { line })(error),
      message,
    );
    assert.match(message, reason);
    assert.ok(message.length < 600, "a message fits a log line");
    return true;
  }, text.slice(0, 200));
}

/** A row of our own making. */
function ownRow(changes: Record<string, string | undefined> = {}): string {
  const fields = { user: "alice", token_hash: `sha256:${HASH}`, agent_id: `'${AGENT_ID}'`, role: "member", ...changes };
  const lines = Object.entries(fields).filter(([, value]) => value !== undefined).map(([key, value]) =>
    `${key}: ${value}`
  );
  return `  - ${lines.join("\n    ")}\n`;
}

const own = (...rows: string[]) => `generation: 3\ntokens:\n${rows.join("")}`;

Deno.test("a roles file of Rune-Vault is read as it stands", () => {
  const text = `roles:
  admin:
    scope: [get_public_key, decrypt_scores, decrypt_metadata, manage_tokens]
    top_k: 50
    rate_limit: 150/60s
  member:
    scope: [get_public_key, decrypt_scores, decrypt_metadata]
    top_k: 10
    rate_limit: 30/60s
`;
  const { rows, generation, warnings } = roles(text);
  assert.equal(generation, null);
  assert.deepEqual(warnings, []);
  assert.deepEqual(rows.map(({ name, topK, rateLimit, line }) => [name, topK, rateLimit, line]), [
    ["admin", 50, { count: 150, seconds: 60 }, 2],
    ["member", 10, { count: 30, seconds: 60 }, 6],
  ]);
  assert.deepEqual(rows[1]!.scope, ["get_public_key", "decrypt_scores", "decrypt_metadata"]);
});

Deno.test("a tokens file of Rune-Vault is read, its tokens turned into hashes at once", () => {
  const text = `tokens:
  - user: alice
    token: evt_00112233445566778899aabbccddeeff
    role: member
    created: '2026-03-20'
    expires: '2026-06-18'
  - user: bob
    token: evt_ffeeddccbbaa99887766554433221100
    role: admin
    issued_at: 2026-03-20T12:30:00Z
`;
  const document = tokens(text);
  assert.deepEqual(document.rows, [
    {
      line: 2,
      user: "alice",
      tokenHash: hashToken("evt_00112233445566778899aabbccddeeff"),
      role: "member",
      issuedAt: TODAY,
      expiresAt: Date.UTC(2026, 5, 19),
    },
    {
      line: 7,
      user: "bob",
      tokenHash: hashToken("evt_ffeeddccbbaa99887766554433221100"),
      role: "admin",
      issuedAt: TODAY,
      expiresAt: null,
    },
  ]);
  assert.ok(!JSON.stringify(document).includes("evt_"));
});

Deno.test("missing fields of an old file are what the old vault took them for, with a warning each", () => {
  const { rows, warnings } = roles("roles:\n  bare: {}\n  half:\n    top_k: 7\n    scope:\n");
  assert.deepEqual(rows.map(({ scope, topK, rateLimit }) => [scope, topK, rateLimit]), [
    [[], 5, { count: 30, seconds: 60 }],
    [[], 7, { count: 30, seconds: 60 }],
  ]);
  assert.deepEqual(warnings, [
    "line 2: top_k is missing; taken as 5",
    "line 2: rate_limit is missing; taken as 30/60s",
    "line 2: scope is missing; taken as []",
    "line 3: rate_limit is missing; taken as 30/60s",
    "line 3: scope is missing; taken as []",
  ]);
  const old = tokens("tokens:\n  - {user: a, token: t, role: member}\n");
  assert.deepEqual(old.warnings, ["line 2: created is missing; taken as unknown"]);
  assert.deepEqual([old.rows[0]!.issuedAt, old.rows[0]!.expiresAt], [null, null]);
});

Deno.test("odd names, unknown scopes and unknown keys of an old file are taken or dropped, with a warning each", () => {
  const { rows, warnings } = roles(
    "roles:\n  ../x y:\n    {scope: [get_dek, root, 7], top_k: 1, rate_limit: 1/1s, color: red}\n",
  );
  assert.deepEqual([rows[0]!.name, rows[0]!.scope], ["../x y", ["get_dek"]]);
  assert.equal(warnings.length, 4);
  const old = tokens(
    'owner: me\ntokens:\n  - {user: "line\\nbreak", token: a, role: r, created: 2026-01-01, note: n}\n  - {user: Bob, token: b, role: r, created: 2026-01-01}\n  - {user: BOB, token: c, role: r, created: 2026-01-01}\n',
  );
  assert.deepEqual(old.rows.map((row) => row.user), ["line\nbreak", "Bob", "BOB"]);
  assert.deepEqual(old.warnings, [
    'line 1: unknown key "owner" was passed over',
    'line 3: unknown key "note" was passed over',
    'line 3: user "line\\nbreak" could not be named so any more',
    'line 5: user "BOB" differs only in case from another user',
  ]);
});

Deno.test("numbers count as the text that they were written as", () => {
  const old = tokens("tokens:\n- user: 007\n  token: 0x10\n  role: 1e3\n  created: 2026-01-01\n");
  assert.deepEqual([old.rows[0]!.user, old.rows[0]!.role], ["007", "1e3"]);
  assert.equal(old.rows[0]!.tokenHash, hashToken("0x10"));
  const digits = "1".repeat(64);
  const row = ownRow({ user: "1.0", token_hash: `sha256:${digits}`, agent_id: digits.slice(0, 32) });
  assert.deepEqual(tokens(own(row)).rows.map((one) => [one.user, one.tokenHash]), [["1.0", digits]]);
});

Deno.test("a file of ours is read with its generation, its hashes and no need for days", () => {
  const text = own(
    ownRow({ issued_at: "'2026-03-20'", expires: "'2026-06-18'" }),
    ownRow({ user: "bob", token_hash: undefined, agent_id: undefined, token: "pasted in" }),
  );
  const { generation, rows, warnings } = tokens(text);
  assert.equal(generation, 3);
  assert.deepEqual(warnings, []);
  assert.deepEqual(rows.map((row) => [row.user, row.tokenHash, row.issuedAt, row.expiresAt]), [
    ["alice", HASH, TODAY, Date.UTC(2026, 5, 19)],
    ["bob", hashToken("pasted in"), null, null],
  ]);
});

Deno.test("an empty file, one of comments, and one without rows hold no rows", () => {
  for (
    const text of ["", "\n\n", "# nothing\n", "tokens:\n", "tokens: []\n", "tokens: ~\n", "generation: 1\ntokens: []\n"]
  ) {
    assert.deepEqual(tokens(text).rows, [], JSON.stringify(text));
  }
  assert.deepEqual(roles("roles: {}\n").rows, []);
});

Deno.test("what is wrong in a roles file is refused, naming the line", () => {
  const role = (fields: string) =>
    `generation: 1\nroles:\n  r:\n    scope: [get_dek]\n    top_k: 1\n    rate_limit: 1/1s\n${fields}`;
  const one = (name: string, value: string) => {
    const lines: Record<string, string> = { scope: "[get_dek]", top_k: "1", rate_limit: "1/1s", [name]: value };
    return `generation: 1\nroles:\n  r:\n${Object.entries(lines).map(([key, it]) => `    ${key}: ${it}\n`).join("")}`;
  };
  refusedAt("roles", one("top_k", "-3"), 5, /top_k/);
  refusedAt("roles", one("top_k", "0"), 5, /top_k/);
  refusedAt("roles", one("top_k", "1.5"), 5, /top_k must be a whole number/);
  refusedAt("roles", one("top_k", "ten"), 5, /top_k must be a whole number/);
  refusedAt("roles", one("top_k", "99999999999999999999"), 5, /top_k/);
  refusedAt("roles", one("top_k", ".inf"), 5, /top_k/);
  refusedAt("roles", one("rate_limit", "0/0s"), 6, /rate_limit: Invalid rate limit/);
  refusedAt("roles", one("rate_limit", "999999999999/1s"), 6, /rate_limit/);
  refusedAt("roles", one("rate_limit", "[1, 2]"), 6, /rate_limit must be text/);
  refusedAt("roles", one("scope", "[get_dek, root]"), 4, /scope: Unknown scope "root"/);
  refusedAt("roles", one("scope", "get_dek"), 4, /scope must be a list/);
  refusedAt("roles", one("scope", "[[get_dek]]"), 4, /a scope must be text/);
  refusedAt("roles", one("rate_limt", "1/1s"), 7, /unknown key "rate_limt"/);
  refusedAt("roles", "generation: 1\nroles:\n  r:\n    scope: []\n    rate_limit: 1/1s\n", 3, /top_k is missing/);
  refusedAt("roles", role("  r:\n    scope: []\n"), 7, /stands twice/);
  refusedAt("roles", "generation: 1\nroles:\n  r: member\n", 3, /role "r" must be a mapping/);
  refusedAt("roles", "generation: 1\nroles:\n  - r\n", 3, /roles must be a mapping/);
  refusedAt("roles", "generation: 1\nroles: {}\nextra: 1\n", 3, /unknown key "extra"/);
  refusedAt("roles", "generation: one\nroles: {}\n", 1, /generation must be a whole number/);
  refusedAt("roles", "generation:\nroles: {}\n", 1, /generation must be a whole number/);
  refusedAt("roles", "- a list\n", 1, /the file must be a mapping/);
  refusedAt("roles", "just text\n", 1, /the file must be a mapping/);
  // Old files are read with more patience, and with no more trust in their numbers.
  refusedAt("roles", "roles:\n  r:\n    top_k: -1\n", 3, /top_k/);
  refusedAt("roles", "roles:\n  r:\n    rate_limit: 0/0s\n", 3, /rate_limit/);
});

Deno.test("what is wrong in a tokens file is refused, naming the line", () => {
  refusedAt("tokens", own(ownRow({ issued_at: "'2026-02-30'" })), 7, /issued_at: .*not a day that exists/);
  refusedAt("tokens", own(ownRow({ expires: "2026-13-01" })), 7, /expires: .*not a day that exists/);
  refusedAt("tokens", own(ownRow({ expires: "2026-06-18T00:00:00Z" })), 7, /expires/);
  refusedAt("tokens", own(ownRow({ agent_id: `'${"0".repeat(32)}'` })), 5, /agent_id must equal the first 32 digits/);
  refusedAt("tokens", own(ownRow({ agent_id: undefined })), 3, /agent_id is missing/);
  refusedAt("tokens", own(ownRow({ token_hash: undefined })), 3, /token_hash is missing/);
  refusedAt("tokens", own(ownRow({ token_hash: HASH })), 4, /token_hash must be sha256:/);
  refusedAt("tokens", own(ownRow({ token_hash: `sha256:${HASH.toUpperCase()}` })), 4, /token_hash must be/);
  refusedAt("tokens", own(ownRow({ token_hash: `sha256:${HASH}0` })), 4, /token_hash must be/);
  refusedAt("tokens", own(ownRow({ token: "x" })), 7, /not both/);
  refusedAt("tokens", own(ownRow({ token_hash: undefined, token: "''" })), 6, /token must have 1 to/);
  refusedAt("tokens", own(ownRow({ token_hash: undefined, token: "x".repeat(1025) })), 6, /token must have 1 to 1024/);
  refusedAt("tokens", own(ownRow({ token_hash: undefined, token: "[x]" })), 6, /token must be text/);
  refusedAt("tokens", own(ownRow({ user: undefined })), 3, /user is missing/);
  refusedAt("tokens", own(ownRow({ user: "''" })), 3, /a user name must have 1 to/);
  refusedAt("tokens", own(ownRow({ user: "~" })), 3, /user is missing/);
  refusedAt("tokens", own(ownRow({ user: "true" })), 3, /user must be text/);
  refusedAt("tokens", own(ownRow({ user: "{a: b}" })), 3, /user must be text/);
  refusedAt("tokens", own(ownRow({ role: undefined })), 3, /role is missing/);
  refusedAt("tokens", own(ownRow({ expiers: "2026-06-18" })), 7, /unknown key "expiers"/);
  refusedAt("tokens", own("  - alice\n"), 3, /an entry of tokens must be a mapping/);
  refusedAt("tokens", "generation: 1\ntokens:\n  alice: x\n", 3, /tokens must be a list/);
  refusedAt("tokens", "tokens:\n  - {user: a, token: t, role: r, created: 2026-02-30}\n", 2, /created: .*not a day/);
  refusedAt("tokens", "tokens:\n  - {user: a, token: t, role: r, expires: soon}\n", 2, /expires/);
  refusedAt("tokens", "tokens:\n  - {user: a, token: t, role: r, expires: 2026-03-201}\n", 2, /expires/);
});

Deno.test("names that no store could give back are refused, and megabytes of name too", () => {
  for (const user of ['"a\\0b"', '"\\ud800"', "a\0b"]) {
    refusedAt("tokens", `tokens:\n  - {user: ${user}, token: t, role: r}\n`, 2, /Unicode text without NUL/);
    refusedAt("roles", `roles:\n  ${user}: {}\n`, 2, /Unicode text without NUL/);
  }
  refusedAt("tokens", `tokens:\n  - {user: ${"x".repeat(1025)}, token: t, role: r}\n`, 2, /1 to 1024/);
  refusedAt(
    "tokens",
    `tokens:\n  - user: ${"x".repeat(1_000_000)}\n    token: t\n    role: r\n`,
    2,
    /characters belong together/,
  );
  refusedAt("roles", `roles:\n  ${"x".repeat(1_000_000)}: {}\n`, 2, /characters belong together/);
});

Deno.test("one user or one token standing twice is refused, naming both lines", () => {
  const other = "f".repeat(64);
  const ofOther = { token_hash: `sha256:${other}`, agent_id: `'${other.slice(0, 32)}'` };
  refusedAt("tokens", own(ownRow(), ownRow(ofOther)), 7, /user "alice" already stands on line 3/);
  refusedAt("tokens", own(ownRow(), ownRow({ user: "bob" })), 7, /the token of user "bob" already stands on line 3/);
  refusedAt(
    "tokens",
    "tokens:\n- {user: a, token: t, role: r}\n- {user: b, token: t, role: r}\n",
    3,
    /already stands on line 2/,
  );
});

Deno.test("two hashes that begin alike are one agent id, and so one data key: refused", () => {
  const alike = AGENT_ID + "f".repeat(32);
  const bob = ownRow({ user: "bob", token_hash: `sha256:${alike}` });
  refusedAt("tokens", own(ownRow(), bob), 7, /the token of user "bob" already stands on line 3/);
});

Deno.test("aliases and merge keys, which would be taken for missing, are refused", () => {
  refusedAt("roles", "roles:\n  a: &a {top_k: 3}\n  b: *a\n", 3, /aliases and merge keys/);
  refusedAt("roles", "roles:\n  a: &a {top_k: 3}\n  b:\n    <<: *a\n    top_k: 4\n", 4, /aliases and merge keys/);
  refusedAt("tokens", "x: &x []\ntokens: *x\n", 2, /aliases and merge keys/);
  refusedAt("tokens", "tokens:\n  - &a {user: a, token: t, role: r}\n  - *a\n", 3, /must be a mapping/);
});

Deno.test("text that is not YAML is refused without a word of what stands in it: it may be a token", () => {
  const secret = "evt_00112233445566778899aabbccddeeff";
  const row = `tokens:\n  - user: alice\n    token: ${secret}\n    role: r\n`;
  const broken = [
    `${row}${secret}\n`,
    `${row} }${secret}: x\n`,
    `${row}    token: "${secret}\n`,
    `${row}   ${secret}\n`,
    `tokens: [${secret}\n`,
    `tokens: {${secret}\n`,
    `tokens: "\\${secret}"\n`,
    `tokens: *${secret}\n`,
    `tokens: !<${secret} x\n`,
    `tokens: |${secret}\n`,
    `tokens:\n\t- ${secret}\n`,
    `tokens: []\n--- ${secret}\n`,
    `- ${secret}\n`,
    `${secret}`,
    `tokens: ${secret}\n`,
    `tokens:\n  - ${secret}\n`,
    `tokens:\n  - user: [${secret}]\n    token: x\n`,
    `tokens:\n  - user: a\n    token: [${secret}]\n    role: r\n`,
    `generation: ${secret}\ntokens: []\n`,
    `tokens:\n  - user: a\n    token: x\n    role: r\n    created: ${secret}\n`,
    `tokens:\n  - user: a\n    token: x\n    role: r\n    expires: ${secret}\n`,
    `generation: 1\ntokens:\n  - ${secret}: alice\n`,
    `generation: 1\ntokens:\n  - user: a\n    token_hash: ${secret}\n    agent_id: ${secret}\n    role: r\n`,
  ];
  for (const text of broken) {
    assert.throws(() => tokens(text), (error: unknown) => {
      assert.ok(refused("config_invalid", /^\/x\/vault-tokens\.yml, line \d+: /)(error), text);
      assert.doesNotMatch(JSON.stringify([error, (error as Error).message]), /00112233/, text);
      return true;
    }, text);
  }
});

Deno.test("a token that stands in a key's or a name's place of an old file is in no warning", () => {
  const secret = "evt_00112233445566778899aabbccddeeff";
  const { warnings } = tokens(`${secret}: alice\ntokens:\n  - {user: "${secret} ", token: t, role: r, ${secret}: 1}\n`);
  assert.ok(warnings.length >= 3);
  assert.doesNotMatch(warnings.join(), /00112233/);
});

Deno.test("what a broken file says is not repeated, also where a token there has no form that gives it away", () => {
  const secret = "s3cret token of an old file";
  const broken = [
    `tokens: |${secret}\n`,
    `tokens: >${secret}\n`,
    `tokens:\n  - user: alice\n    token: |${secret}\n    role: r\n`,
    `tokens:\n  - user: alice\n    token: "${secret}\n`,
    `tokens:\n  - user: alice\n    token: x\n }${secret}: x\n`,
    `tokens:\n\t- ${secret}\n`,
    `tokens: "\\${secret}"\n`,
    `tokens: [${secret}\n`,
    `${secret}\n`,
    `tokens: *${secret}\n`,
    `tokens:\n  - user: a\n    token: [${secret}]\n    role: r\n`,
    `generation: 1\ntokens:\n  - {user: a, token_hash: ${secret}, agent_id: x, role: r}\n`,
  ];
  for (const text of broken) {
    assert.throws(() => tokens(text), (error: unknown) => {
      assert.ok(refused("config_invalid")(error), text);
      return !/s3cret/.test((error as Error).message);
    }, text);
  }
});

Deno.test("a carriage return that ends no line is refused, or rows would differ between a short file and a long one", () => {
  const row = "    scope: []\n    top_k: 1\n    rate_limit: 1/1s\n";
  refusedAt("roles", `roles:\n  a:\n${row}  \r:\n${row}`, 6, /carriage return/);
  assert.equal(roles(`roles:\r\n  a:\r\n${row.replaceAll("\n", "\r\n")}`).rows.length, 1);
});
