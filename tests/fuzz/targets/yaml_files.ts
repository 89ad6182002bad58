/**
 * The two YAML files. What is accepted must survive being written by the vault and read again, and be the same when it
 * is so long that it is read in pieces.
 *
 * @module
 */

import fc from "fast-check";
import { VaultError } from "../../../vault/errors.ts";
import { parseFile } from "../../../vault/files/parse.ts";
import type { Document, FileName, RoleRow, TokenRow } from "../../../vault/files/document.ts";
import { MAX_PIECE_CHARS } from "../../../vault/files/pieces.ts";
import { planEdit } from "../../../vault/files/edits.ts";
import { renderFile } from "../../../vault/files/render.ts";
import { DEFAULT_ROLES, putRole } from "../../../vault/roles/role_service.ts";
import { SCOPES } from "../../../vault/roles/scope.ts";
import { VaultState } from "../../../vault/state.ts";
import type { UserTokenRecord } from "../../../vault/storage/records.ts";
import type { Write } from "../../../vault/storage/store.ts";
import { countingRandom, FakeClock } from "../../fakes/ports.ts";
import { bulkText, mutatedText } from "../mutations.ts";
import { assertShowsNoSecret, must, parseOrRefuse, PLANTED } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";
import { scalar, YAML_LIMITS, YAML_PIECES } from "./yaml_pieces.ts";

/** 2026-03-20T10:00:00Z */
const NOW = Date.UTC(2026, 2, 20, 10);
const PATH = "/etc/runevault/the.yml";

/** A well-formed file, row by row: what stands before the rows, and each row's text. */
interface Rows {
  readonly head: string;
  readonly rows: readonly string[];
}

const generation = fc.option(fc.nat({ max: 1000 }), { freq: 2 }).map((n) => n === null ? "" : `generation: ${n}\n`);
const comment = fc.constantFrom("", "", "# an old file\n", "---\n", "\n");

const scopes = fc.subarray([...SCOPES], { minLength: 0 });
const goodRole = fc.record({
  scope: scopes.map((names) => `[${names.join(", ")}]`),
  top_k: fc.integer({ min: 1, max: 10_000 }).map(String),
  rate_limit: fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 86_400 })).map(([n, s]) =>
    `${n}/${s}s`
  ),
});
const oddRole = fc.record({
  scope: fc.oneof(fc.array(scalar, { maxLength: 3 }).map((items) => `[${items.join(", ")}]`), scalar),
  top_k: scalar,
  rate_limit: scalar,
  other: scalar,
}, { requiredKeys: [] });

const hash = fc.oneof(
  fc.constantFrom("a".repeat(64), "b".repeat(64), "c".repeat(64), "d".repeat(64)),
  fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => a.toString(16).padStart(32, "0") + b.toString(16).padStart(32, "a")),
);
const day = fc.tuple(
  fc.integer({ min: 1990, max: 2100 }),
  fc.integer({ min: 1, max: 12 }),
  fc.integer({ min: 1, max: 28 }),
)
  .map(([y, m, d]) => `'${y}-${String(m).padStart(2, "0")}-${String(d).padStart(2, "0")}'`);
const goodToken = fc.oneof(
  hash.map((digits) => ({ token_hash: `sha256:${digits}`, agent_id: `'${digits.slice(0, 32)}'` })),
  fc.nat().map((n) => ({ token: `evt_${n.toString(16).padStart(32, "0")}` })),
).chain((token) =>
  fc.record({ role: scalar, created: day, expires: day }, { requiredKeys: ["role"] })
    .map((rest) => ({ ...token, ...rest }))
);
const oddToken = fc.record({
  token: fc.oneof(scalar, fc.constant(PLANTED.userToken)),
  token_hash: scalar,
  agent_id: scalar,
  role: scalar,
  created: fc.oneof(day, scalar),
  issued_at: scalar,
  expires: fc.oneof(day, scalar),
  other: scalar,
}, { requiredKeys: [] });

function fieldsText(fields: object, indent: string): string {
  return Object.entries(fields).map(([name, value]) => `${indent}${name}: ${value}\n`).join("");
}

function rowsOf(file: FileName): fc.Arbitrary<Rows> {
  const row = file === "roles"
    ? fc.tuple(scalar, fc.oneof(goodRole, goodRole, oddRole)).map(([name, fields]) =>
      `  ${name}:\n${fieldsText(fields, "    ")}`
    )
    : fc.tuple(
      fc.oneof(scalar, fc.constantFrom("alice", "bob", "carol", "Alice")),
      fc.oneof(goodToken, goodToken, oddToken),
    )
      .map(([user, fields]) => `  - user: ${user}\n${fieldsText(fields, "    ")}`);
  return fc.record({
    head: fc.tuple(comment, generation).map(([note, number]) => `${note}${number}${file}:\n`),
    rows: fc.array(row, { maxLength: 4 }),
  });
}

/** Comments between the rows that make the text too long to be parsed in one piece. */
function padded({ head, rows }: Rows): string {
  const filler = `  # ${"x".repeat(200)}\n`.repeat(Math.ceil(MAX_PIECE_CHARS * 0.6 / 205));
  return head + rows.map((row) => row + filler).join("");
}

/** An input: a text, and the same text too long for one piece where it is made of rows. */
interface Input {
  readonly text: string;
  readonly long?: string;
}

function inputsOf(file: FileName): fc.Arbitrary<Input> {
  const rows = rowsOf(file);
  const text = rows.map(({ head, rows }) => head + rows.join(""));
  return fc.oneof(
    { weight: 60, arbitrary: text.map((one) => ({ text: one })) },
    { weight: 150, arbitrary: mutatedText(text, YAML_PIECES).map((one) => ({ text: one })) },
    {
      weight: 20,
      arbitrary: fc.array(fc.constantFrom(...YAML_PIECES), { maxLength: 20 }).map((p) => ({ text: p.join("") })),
    },
    { weight: 2, arbitrary: rows.map((one) => ({ text: one.head + one.rows.join(""), long: padded(one) })) },
    {
      weight: 1,
      arbitrary: bulkText(6000, [
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        "&a [",
        "*a,",
        "!!a ",
        "\n ",
        "'",
        '"',
        "|\n",
        "- - ",
        ": ",
      ]).map((one) => ({ text: one })),
    },
  );
}

/** `vault-roles.yml`. */
export const rolesTarget: FuzzTarget = syncTarget(
  "roles_file",
  "json",
  inputsOf("roles"),
  (input) => check("roles", input),
  YAML_LIMITS,
);

/** `vault-tokens.yml`. */
export const tokensTarget: FuzzTarget = syncTarget(
  "tokens_file",
  "json",
  inputsOf("tokens"),
  (input) => check("tokens", input),
  YAML_LIMITS,
);

function check(file: FileName, { text, long }: Input): void {
  const document = read(file, text);
  if (document !== undefined) {
    assertSurvivesRendering(file, document);
    assertSettles(file, document);
  }
  if (long === undefined) return;
  const cut = read(file, long);
  must(sameRows(document, cut), "the same rows, read in pieces, are others");
}

/** Reads a text; undefined where it was refused, which must name a line of it. */
function read<F extends FileName>(file: F, text: string): Document<F> | undefined {
  const document = parseOrRefuse(["config_invalid"], () => {
    try {
      return parseFile(file, PATH, text, "digest");
    } catch (thrown) {
      if (thrown instanceof VaultError) assertNamesLine(thrown, text);
      throw thrown;
    }
  });
  const warnings = document?.warnings ?? [];
  must(warnings.every((one) => one.length < 1500), "a warning is too long");
  assertShowsNoSecret("a warning", warnings.join("\n"));
  return document;
}

function assertNamesLine({ message, data }: VaultError, text: string): void {
  const { line } = data;
  const lines = text.split("\n").length;
  must(typeof line === "number" && line >= 1 && line <= lines, `line ${line} of ${lines}`);
  must(message.startsWith(`${PATH}, line ${line}: `), `says ${message}`);
}

function assertSurvivesRendering(file: FileName, document: Document): void {
  const state = stateOf(document);
  const text = [...renderFile(file, state, 7)].join("");
  const again = parseFile(file, PATH, text, "digest");
  must(again.generation === 7, `generation ${again.generation}`);
  must(sameRows(document, again), `other rows come back:\n${text.slice(0, 1000)}`);
}

function stateOf(document: Document): VaultState {
  const state = new VaultState();
  const writes: Write[] = document.file === "roles"
    ? (document.rows as readonly RoleRow[]).map(({ line: _line, ...role }) => ({
      kind: "role",
      key: role.name,
      value: role,
    }))
    : (document.rows as readonly TokenRow[]).flatMap(tokenWrites);
  state.apply(writes, 1);
  return state;
}

function tokenWrites(row: TokenRow, index: number): Write[] {
  const { tokenHash, role, issuedAt, expiresAt } = row;
  const entityId = `entity-${index}`;
  const user = { entityId, name: row.user, epoch: 1, disabled: false, createdAt: 0 };
  const token = { tokenHash, entityId, epoch: 1, role, secretVersion: 1, issuedAt, expiresAt };
  return [{ kind: "user", key: entityId, value: user }, { kind: "user_token", key: tokenHash, value: token }];
}

/** What a vault that takes an edited file writes afterwards asks for nothing more. */
function assertSettles(file: FileName, document: Document): void {
  const state = vaultInUse(document);
  const basis = { state, clock: new FakeClock(NOW), random: countingRandom() };
  const edit = parseOrRefuse(["config_invalid"], () => planEdit({ [file]: document }, basis));
  if (edit === undefined) return;
  state.apply(edit.writes, 2);
  if (file === "tokens") must(state.liveTokenCount === document.rows.length, `${state.liveTokenCount} live tokens`);
  must(
    [...state.tokensByRole].every(([role, count]) => count === 0 || state.roles.has(role)),
    "a token without a role",
  );
  const again = parseFile(file, PATH, [...renderFile(file, state, 7)].join(""), "digest");
  must(holdsExactly(again, document), "what stands in the file is not what holds now");
  const { differences } = planEdit({ [file]: again }, basis);
  must(differences.length === 0, `it asks for ${JSON.stringify(differences).slice(0, 500)}`);
}

/** Whether all that holds after an edit stands in the edited file; default roles hold though no file names them. */
function holdsExactly(after: Document, edited: Document): boolean {
  const wanted = rowsByName(edited);
  const present = rowsByName(after);
  for (const { name } of DEFAULT_ROLES) if (!wanted.has(name)) present.delete(name);
  return present.size === wanted.size && [...wanted].every(([name, row]) => present.get(name) === row);
}

function rowsByName({ rows }: Document): Map<string, string> {
  return new Map(rows.map((row) => {
    const scope = "scope" in row ? [...row.scope].sort() : null;
    return ["user" in row ? row.user : row.name, JSON.stringify({ ...row, scope, line: 0 })];
  }));
}

/** A vault with the roles that a file names and with three users: one with a token, one with two, one with none. */
function vaultInUse({ file, rows }: Document): VaultState {
  const state = new VaultState();
  const named = file === "tokens" ? (rows as readonly TokenRow[]).map((row) => row.role) : [];
  const roles = ["other", ...named].map((name) => ({ ...DEFAULT_ROLES[1]!, name }));
  const user = (name: string) => ({ entityId: name, name, epoch: 1, disabled: false, createdAt: NOW });
  const token = (entityId: string, hash: string, more: Partial<UserTokenRecord> = {}): Write => {
    const record = { entityId, epoch: 1, role: "member", secretVersion: 1, issuedAt: NOW, expiresAt: null, ...more };
    return { kind: "user_token", key: hash, value: { tokenHash: hash, ...record } };
  };
  const users = ["alice", "bob", "carol"].map((name): Write => ({ kind: "user", key: name, value: user(name) }));
  const secret = { version: 1, state: "active", createdAt: NOW, sealed: "", fingerprint: "" } as const;
  state.apply([
    { kind: "secret", key: "1", value: secret },
    ...[...DEFAULT_ROLES, ...roles].map(putRole),
    ...users,
    token("alice", "a".repeat(64)),
    token("bob", "b".repeat(64), { graceUntil: NOW + 1000 }),
    token("bob", "c".repeat(64)),
    token("carol", "d".repeat(64), { ended: "revoked", endedAt: NOW }),
  ], 1);
  return state;
}

function sameRows(one: Document | undefined, other: Document | undefined): boolean {
  return contentOf(one) === contentOf(other);
}

/** Roles are written in the order of their names. */
function contentOf(document: Document | undefined): string {
  const rows = (document?.rows ?? []).map((row) => JSON.stringify({ ...row, line: 0 }));
  return `${document === undefined}${document?.file === "roles" ? rows.sort() : rows}`;
}
