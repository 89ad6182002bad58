/**
 * The grammar of the two YAML files: those that this program writes, and those of Rune-Vault.
 *
 * A file of our own (it carries a `generation`) is read strictly. One without is taken as the old vault took it:
 * missing fields have its defaults and names may be any text, with a warning each.
 *
 * @module
 */

import type { Node } from "yaml";
import { DAY_MS, parseDay } from "../dates.ts";
import { isName, quoteName, quoteUnknownKey } from "../names.ts";
import { formatRateLimit, parseRateLimit } from "../roles/rate_limit.ts";
import { assertTopK, cutoffEnvelopesOf, policiesOf } from "../roles/role_service.ts";
import { parseScopes, type Scope, SCOPES } from "../roles/scope.ts";
import { agentIdOf } from "../state.ts";
import { hashToken, MAX_TOKEN_LENGTH } from "../tokens/user_token.ts";
import type { Document, FileName, RoleRow, Rows, TokenRow } from "./document.ts";
import { cutRows, type CutText, type Piece } from "./pieces.ts";
import { YamlReader } from "./yaml_reader.ts";

/** What the old vault assumed where a role did not say. */
const OLD_TOP_K = 5;
const OLD_RATE_LIMIT = { count: 30, seconds: 60 };

const MAX_NAME_LENGTH = 1024;
const TOKEN_HASH = /^sha256:([0-9a-f]{64})$/;
const DAY_WITH_TIME = /^(\d{4}-\d{2}-\d{2})[T ].*$/s;
const ROLE_KEYS = ["scope", "top_k", "rate_limit", "policies", "cutoff_envelopes"];
const TOKEN_KEYS = ["user", "token", "token_hash", "agent_id", "role", "created", "issued_at", "expires"];

type Entries = ReturnType<YamlReader["map"]>;

/** Reads one file's text; throws `config_invalid` naming line and key. */
export function parseFile<F extends FileName>(file: F, path: string, text: string, digest: string): Document<F> {
  return new FileParser(file, path, text).parse(digest);
}

class FileParser<F extends FileName> {
  readonly #file: F;
  readonly #path: string;
  readonly #text: CutText;
  /** The piece that is being read. */
  #yaml: YamlReader;
  readonly #warnings: string[] = [];
  readonly #lineOfRole = new Map<string, number>();
  readonly #lineOfUser = new Map<string, number>();
  readonly #lineOfAgentId = new Map<string, number>();
  readonly #foldedUsers = new Set<string>();
  #strict = false;

  constructor(file: F, path: string, text: string) {
    this.#file = file;
    this.#path = path;
    this.#text = cutRows(file, path, text);
    this.#yaml = new YamlReader(path, this.#text.frame);
  }

  parse(digest: string): Document<F> {
    if (this.#yaml.root === null) return this.#document(digest, null, []);
    const top = this.#yaml.map(this.#yaml.root, "the file");
    const generation = top.get("generation");
    this.#strict = generation !== undefined;
    this.#refuseUnknown(top, ["generation", this.#file]);
    const number = generation === undefined ? null : this.#yaml.integer(generation.value, "generation");
    const rows = this.#text.rows === null
      ? this.#rows(top.get(this.#file)?.value)
      : this.#rowsOfPieces(this.#text.rows);
    return this.#document(digest, number, rows as Rows[F][]);
  }

  #rowsOfPieces(pieces: Iterable<Piece>): (RoleRow | TokenRow)[] {
    const rows: (RoleRow | TokenRow)[] = [];
    for (const { text, line } of pieces) {
      this.#yaml = new YamlReader(this.#path, text, line);
      for (const row of this.#rows(this.#yaml.root)) rows.push(row);
    }
    return rows;
  }

  #rows(body: Node | null | undefined): readonly (RoleRow | TokenRow)[] {
    if (this.#isEmpty(body)) return [];
    return this.#file === "roles" ? this.#roles(body!) : this.#tokens(body!);
  }

  #document(digest: string, generation: number | null, rows: readonly Rows[F][]): Document<F> {
    return { file: this.#file, path: this.#path, digest, generation, rows, warnings: this.#warnings };
  }

  #isEmpty(node: Node | null | undefined): boolean {
    return node === undefined || node === null || ("value" in node && node.value === null);
  }

  #roles(body: Node): RoleRow[] {
    const rows: RoleRow[] = [];
    for (const [name, { key, value }] of this.#yaml.map(body, "roles")) {
      this.#checkName(key, "role", name);
      const row = this.#role(name, key, this.#yaml.map(value, `role ${quoteName(name)}`));
      this.#refuseTwice(key, `role ${quoteName(name)}`, name, this.#lineOfRole, row.line);
      rows.push(row);
    }
    return rows;
  }

  #role(name: string, key: Node, fields: Entries): RoleRow {
    this.#refuseUnknown(fields, ROLE_KEYS);
    const topK = this.#field(fields, "top_k", key, OLD_TOP_K, (node) => {
      const number = this.#yaml.integer(node, "top_k");
      return this.#yaml.check(node, "top_k", () => assertTopK(number));
    });
    const rateLimit = this.#field(fields, "rate_limit", key, OLD_RATE_LIMIT, (node) => {
      const text = this.#yaml.text(node, "rate_limit");
      return this.#yaml.check(node, "rate_limit", () => parseRateLimit(text));
    });
    const scope = this.#field(fields, "scope", key, [] as readonly Scope[], (node) => this.#scope(node));
    const more = { ...this.#policies(fields), ...this.#cutoffEnvelopes(fields) };
    return { line: this.#yaml.line(key), name, scope, topK, rateLimit, ...more };
  }

  #policies(fields: Entries): Pick<RoleRow, "policies"> {
    const node = fields.get("policies")?.value;
    if (this.#isEmpty(node)) return {};
    const names = this.#yaml.list(node!, "policies").map((item) => this.#yaml.text(item, "a policy"));
    return this.#yaml.check(node!, "policies", () => policiesOf(names));
  }

  #cutoffEnvelopes(fields: Entries): Pick<RoleRow, "cutoffEnvelopes"> {
    const node = fields.get("cutoff_envelopes")?.value;
    if (this.#isEmpty(node)) return {};
    const text = this.#yaml.text(node!, "cutoff_envelopes");
    return this.#yaml.check(node!, "cutoff_envelopes", () => cutoffEnvelopesOf(text));
  }

  #scope(node: Node): Scope[] {
    const names = this.#yaml.list(node, "scope").map((item) => this.#yaml.text(item, "a scope"));
    if (this.#strict) return this.#yaml.check(node, "scope", () => parseScopes(names));
    const known = names.filter((name) => (SCOPES as readonly string[]).includes(name));
    for (const name of names) {
      if (!known.includes(name)) this.#warn(node, `unknown scope ${quoteName(name)} grants nothing and was dropped`);
    }
    return parseScopes(known);
  }

  #tokens(body: Node): TokenRow[] {
    return this.#yaml.list(body, "tokens").map((item) => {
      const row = this.#token(item);
      const user = quoteName(row.user);
      this.#refuseTwice(item, `user ${user}`, row.user, this.#lineOfUser, row.line);
      this.#noteCase(item, row.user);
      // By agent id, not by hash: two hashes that begin alike would give two users one data key.
      this.#refuseTwice(item, `the token of user ${user}`, agentIdOf(row.tokenHash), this.#lineOfAgentId, row.line);
      return row;
    });
  }

  /** Two such users of an old file stay apart; no new ones can be made. */
  #noteCase(item: Node, user: string): void {
    const folded = user.toLowerCase();
    if (!this.#strict && this.#foldedUsers.has(folded)) {
      this.#warn(item, `user ${quoteName(user)} differs only in case from another user`);
    }
    this.#foldedUsers.add(folded);
  }

  #refuseTwice(node: Node, what: string, key: string, lines: Map<string, number>, line: number): void {
    const other = lines.get(key);
    if (other !== undefined) throw this.#yaml.fail(node, `${what} already stands on line ${other}`);
    lines.set(key, line);
  }

  #token(item: Node): TokenRow {
    const fields = this.#yaml.map(item, "an entry of tokens");
    this.#refuseUnknown(fields, TOKEN_KEYS);
    const line = this.#yaml.line(item);
    const user = this.#yaml.text(this.#required(fields, "user", item), "user");
    this.#checkName(item, "user", user);
    const expires = this.#day(fields, "expires");
    const issuedAt = this.#day(fields, "issued_at") ?? this.#day(fields, "created");
    if (issuedAt === null && !this.#strict) this.#warn(item, "created is missing; taken as unknown");
    return {
      line,
      user,
      tokenHash: this.#tokenHash(fields, item),
      role: this.#yaml.text(this.#required(fields, "role", item), "role"),
      issuedAt,
      expiresAt: expires === null ? null : expires + DAY_MS,
    };
  }

  #tokenHash(fields: Entries, item: Node): string {
    const plain = fields.get("token");
    const hashed = fields.get("token_hash");
    if (plain && hashed) throw this.#yaml.fail(plain.key, "give token or token_hash, not both");
    if (plain) return this.#hashOfPlain(plain.value);
    const node = this.#required(fields, "token_hash", item);
    const digits = TOKEN_HASH.exec(this.#yaml.text(node, "token_hash"))?.[1];
    if (digits === undefined) throw this.#yaml.fail(node, "token_hash must be sha256: and 64 lower-case hex digits");
    const agentId = this.#required(fields, "agent_id", item);
    // An agent id of another's would give this row's user that other's data key.
    if (this.#yaml.text(agentId, "agent_id") !== digits.slice(0, 32)) {
      throw this.#yaml.fail(agentId, "agent_id must equal the first 32 digits of token_hash");
    }
    return digits;
  }

  #hashOfPlain(node: Node | null): string {
    const token = this.#yaml.text(node, "token");
    if (token.length === 0 || token.length > MAX_TOKEN_LENGTH) {
      throw this.#yaml.fail(node, `token must have 1 to ${MAX_TOKEN_LENGTH} characters`);
    }
    return hashToken(token);
  }

  #day(fields: Entries, key: string): number | null {
    const node = fields.get(key)?.value;
    if (this.#isEmpty(node)) return null;
    const text = this.#yaml.text(node, key);
    // Later versions of the old vault wrote a time after the day.
    return this.#yaml.check(node, key, () => parseDay(this.#strict ? text : text.replace(DAY_WITH_TIME, "$1")));
  }

  #field<T>(fields: Entries, key: string, role: Node, old: T, read: (node: Node) => T): T {
    const node = fields.get(key)?.value;
    if (!this.#isEmpty(node)) return read(node!);
    if (this.#strict) throw this.#yaml.fail(role, `${key} is missing`);
    this.#warn(role, `${key} is missing; taken as ${describe(old)}`);
    return old;
  }

  #required(fields: Entries, key: string, item: Node): Node {
    const node = fields.get(key)?.value;
    if (this.#isEmpty(node)) throw this.#yaml.fail(item, `${key} is missing`);
    return node!;
  }

  #refuseUnknown(fields: Entries, known: readonly string[]): void {
    for (const [name, { key }] of fields) {
      if (known.includes(name)) continue;
      if (this.#strict) throw this.#yaml.fail(key, `unknown key${quoteUnknownKey(name)}`);
      this.#warn(key, `unknown key${quoteUnknownKey(name)} was passed over`);
    }
  }

  #checkName(node: Node, what: string, name: string): void {
    if (name.length < 1 || name.length > MAX_NAME_LENGTH) {
      throw this.#yaml.fail(node, `a ${what} name must have 1 to ${MAX_NAME_LENGTH} characters`);
    }
    // The only two that the store could not give back as they were.
    if (name.includes("\0") || !name.isWellFormed()) {
      throw this.#yaml.fail(node, `a ${what} name must be Unicode text without NUL`);
    }
    if (!this.#strict && !isName(name)) this.#warn(node, `${what} ${quoteName(name)} could not be named so any more`);
  }

  #warn(node: Node, message: string): void {
    this.#warnings.push(`line ${this.#yaml.line(node)}: ${message}`);
  }
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  return formatRateLimit(value as typeof OLD_RATE_LIMIT);
}
