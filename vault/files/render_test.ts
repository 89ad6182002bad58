import assert from "node:assert/strict";
import fc from "fast-check";
import { NOW } from "../_test_support.ts";
import { DAY_MS } from "../dates.ts";
import { SCOPES } from "../roles/scope.ts";
import { VaultState } from "../state.ts";
import type { RoleRecord, UserTokenRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import { putToken } from "../tokens/token_service.ts";
import { hashToken } from "../tokens/user_token.ts";
import type { FileName } from "./document.ts";
import { parseFile } from "./parse.ts";
import { renderFile } from "./render.ts";

const DAY = Math.floor(NOW / DAY_MS) * DAY_MS;

function textOf(file: FileName, state: VaultState, generation = 7): string {
  return [...renderFile(file, state, generation)].join("");
}

function userWrites(name: string, changes: Partial<UserTokenRecord> = {}): Write[] {
  const entityId = `id of ${name}`;
  const record = { entityId, name, epoch: 1, disabled: false, createdAt: 0 };
  const tokenHash = hashToken(`token of ${name}`);
  const token = { tokenHash, entityId, epoch: 1, role: "member", secretVersion: 1, issuedAt: null, expiresAt: null };
  return [{ kind: "user", key: entityId, value: record }, putToken({ ...token, ...changes })];
}

function stateOf(...writes: Write[]): VaultState {
  const state = new VaultState();
  state.apply(writes, 1);
  return state;
}

/** What an old file's parser lets through: any text that a store can give back. */
const legacyName = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 60 }),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom(..."\u0001\u0007\t\n\r\u0085\u2028\u2029\ufeff\u007f'\"\\:#-?[]{}&*!|>%@`, 0e.~=<"),
    minLength: 1,
    maxLength: 20,
  }),
  fc.integer({ min: 1, max: 1024 }).map((length) => "\u0001".repeat(length)),
  fc.constantFrom(
    "null",
    "~",
    "true",
    "No",
    "ON",
    "y",
    "0x1f",
    "1e3",
    "1_000",
    ".inf",
    ".nan",
    "2026-03-20",
    "<<",
    "=",
    "",
    "- a",
    "a: b",
    "a #b",
    " a",
    "a ",
    "---",
    "...",
    "%YAML",
    "012",
    "+1",
    "-",
    "?",
    ":",
    "\u{1f512}".repeat(500),
  ),
).filter((name) => name.length >= 1 && name.length <= 1024 && !name.includes("\0") && name.isWellFormed());

const legalName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/);
const anyName = fc.oneof(legalName, legacyName);

Deno.test("the tokens file says what the state says, for users and roles of every legal and every old name", () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyName, { maxLength: 12 }), anyName, (names, role) => {
      const state = stateOf(
        ...names.flatMap((name, i) =>
          userWrites(name, { role, issuedAt: i % 2 ? DAY + 5 : null, expiresAt: i % 3 ? DAY + i * DAY_MS : null })
        ),
      );
      const { rows, generation, warnings } = parseFile("tokens", "f", textOf("tokens", state), "");
      assert.equal(generation, 7);
      assert.deepEqual(warnings, []);
      const told = rows.map(({ line: _line, ...row }) => row);
      assert.deepEqual(
        told,
        names.map((user, i) => ({
          user,
          tokenHash: hashToken(`token of ${user}`),
          role,
          issuedAt: i % 2 ? DAY : null,
          expiresAt: i % 3 ? DAY + i * DAY_MS : null,
        })),
      );
    }),
    { numRuns: 400 },
  );
});

Deno.test("the roles file says what the state says, for roles of every legal and every old name", () => {
  const role = fc.record({
    name: anyName,
    scope: fc.subarray([...SCOPES]),
    topK: fc.integer({ min: 1, max: 10_000 }),
    rateLimit: fc.record({ count: fc.integer({ min: 1, max: 1e6 }), seconds: fc.integer({ min: 1, max: 86_400 }) }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(role, { selector: (one) => one.name, maxLength: 8 }), (roles) => {
      const state = stateOf(...roles.map((one): Write => ({ kind: "role", key: one.name, value: one })));
      const { rows } = parseFile("roles", "f", textOf("roles", state), "");
      const plain = (all: readonly RoleRecord[]) =>
        JSON.stringify(
          all.map(({ name, scope, topK, rateLimit: { count, seconds } }) => [name, scope, topK, count, seconds]),
        );
      assert.equal(plain(rows), plain([...roles].sort((a, b) => a.name < b.name ? -1 : 1)));
    }),
    { numRuns: 400 },
  );
});

Deno.test("the tokens file holds no usable token, and neither dead tokens nor users without one", () => {
  const state = stateOf(
    ...userWrites("alice", { issuedAt: NOW, expiresAt: Date.UTC(2026, 5, 19) }),
    ...userWrites("revoked", { ended: "revoked" }),
    ...userWrites("replaced", { graceUntil: NOW + 1 }),
  );
  const hash = hashToken("token of alice");
  assert.equal(
    textOf("tokens", state),
    `# Written by runevault after each change; its database is the truth, this is its face.
# To change something by hand: edit, keep "generation" as it is, then send the server SIGHUP.
generation: 7
tokens:
  - user: alice
    token_hash: sha256:${hash}
    agent_id: '${hash.slice(0, 32)}'
    role: member
    issued_at: '2026-03-20'
    expires: '2026-06-18'
`,
  );
});

Deno.test("files without rows say so", () => {
  assert.match(textOf("tokens", new VaultState()), /^generation: 7\ntokens: \[\]\n$/m);
  assert.deepEqual(parseFile("tokens", "f", textOf("tokens", new VaultState()), "").rows, []);
  assert.deepEqual(parseFile("roles", "f", textOf("roles", new VaultState()), "").rows, []);
});

Deno.test("a tokens file is whole though the state changes between its parts", () => {
  const empty = new VaultState();
  let text = "";
  for (const part of renderFile("tokens", empty, 1)) {
    if (text === "") empty.apply(userWrites("late"), 1);
    text += part;
  }
  assert.deepEqual(parseFile("tokens", "f", text, "").rows.map((row) => row.user), ["late"]);

  const full = stateOf(...Array.from({ length: 1200 }, (_, i) => userWrites(`user${i}`)).flat());
  text = "";
  for (const part of renderFile("tokens", full, 1)) {
    if (text === "") {
      for (let i = 0; i < 1200; i++) full.apply(userWrites(`user${i}`, { ended: "revoked" }), 2);
    }
    text += part;
  }
  assert.deepEqual(parseFile("tokens", "f", text, "").rows, []);
});

Deno.test("a file of many users is made in parts that each take little time", () => {
  const state = stateOf(...Array.from({ length: 5000 }, (_, i) => userWrites(`user${i}`)).flat());
  const parts = [...renderFile("tokens", state, 1)];
  assert.ok(parts.length >= 10);
  assert.doesNotMatch(parts.join(""), /\n\n/);
  assert.ok(Math.max(...parts.map((part) => part.length)) < 300_000);
});
