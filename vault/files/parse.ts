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
import { quoteName } from "../names.ts";
import { formatRateLimit, parseRateLimit } from "../roles/rate_limit.ts";
import { assertTopK } from "../roles/role_service.ts";
import { parseScopes, type Scope, SCOPES } from "../roles/scope.ts";
import { hashToken, MAX_TOKEN_LENGTH } from "../tokens/user_token.ts";
import type { Document, FileName, RoleRow, Rows, TokenRow } from "./document.ts";
import { YamlReader } from "./yaml_reader.ts";

/** What the old vault assumed where a role did not say. */
const OLD_TOP_K = 5;
const OLD_RATE_LIMIT = { count: 30, seconds: 60 };

const MAX_NAME_LENGTH = 1024;
const TOKEN_HASH = /^sha256:([0-9a-f]{64})$/;
const ROLE_KEYS = ["scope", "top_k", "rate_limit"];
const TOKEN_KEYS = ["user", "token", "token_hash", "agent_id", "role", "created", "issued_at", "expires"];

type Entries = ReturnType<YamlReader["map"]>;

/** Reads one file's text; throws `config_invalid` naming line and key. */
export function parseFile<F extends FileName>(file: F, path: string, text: string, digest: string): Document<F> {
  return new FileParser(file, path, text).parse(digest);
}

class FileParser<F extends FileName> {
  readonly #file: F;
  readonly #path: string;
  readonly #yaml: YamlReader;
  readonly #warnings: string[] = [];
  #strict = false;

  constructor(file: F, path: string, text: string) {
    this.#file = file;
    this.#path = path;
    this.#yaml = new YamlReader(path, text);
  }

  parse(digest: string): Document<F> {
    if (this.#yaml.root === null) return this.#document(digest, null, []);
    const top = this.#yaml.map(this.#yaml.root, "the file");
    const generation = top.get("generation");
    this.#strict = generation !== undefined;
    this.#refuseUnknown(top, ["generation", this.#file]);
    const number = generation === undefined ? null : this.#yaml.integer(generation.value, "generation");
    const body = top.get(this.#file)?.value;
    const rows = this.#isEmpty(body) ? [] : this.#file === "roles" ? this.#roles(body!) : this.#tokens(body!);
    return this.#document(digest, number, rows as Rows[F][]);
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
      this.#checkLength(key, "role", name);
      rows.push(this.#role(name, this.#yaml.line(key), this.#yaml.map(value, `role ${quoteName(name)}`)));
    }
    return rows;
  }

  #role(name: string, line: number, fields: Entries): RoleRow {
    this.#refuseUnknown(fields, ROLE_KEYS);
    const topK = this.#field(fields, "top_k", line, OLD_TOP_K, (node) => {
      const number = this.#yaml.integer(node, "top_k");
      return this.#yaml.check(node, "top_k", () => assertTopK(number));
    });
    const rateLimit = this.#field(fields, "rate_limit", line, OLD_RATE_LIMIT, (node) => {
      const text = this.#yaml.text(node, "rate_limit");
      return this.#yaml.check(node, "rate_limit", () => parseRateLimit(text));
    });
    const scope = this.#field(fields, "scope", line, [] as readonly Scope[], (node) => this.#scope(node));
    return { line, name, scope, topK, rateLimit };
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
    const lineOfUser = new Map<string, number>();
    const lineOfHash = new Map<string, number>();
    return this.#yaml.list(body, "tokens").map((item) => {
      const row = this.#token(item);
      this.#refuseTwice(item, `user ${quoteName(row.user)}`, row.user, lineOfUser, row.line);
      this.#refuseTwice(item, `the token of user ${quoteName(row.user)}`, row.tokenHash, lineOfHash, row.line);
      return row;
    });
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
    this.#checkLength(item, "user", user);
    const expires = this.#day(fields, "expires");
    return {
      line,
      user,
      tokenHash: this.#tokenHash(fields, item),
      role: this.#yaml.text(this.#required(fields, "role", item), "role"),
      issuedAt: this.#day(fields, "issued_at") ?? this.#day(fields, "created"),
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
    return this.#yaml.check(node, key, () => parseDay(this.#strict ? text : text.slice(0, 10)));
  }

  #field<T>(fields: Entries, key: string, line: number, old: T, read: (node: Node) => T): T {
    const node = fields.get(key)?.value;
    if (!this.#isEmpty(node)) return read(node!);
    if (this.#strict) {
      throw this.#yaml.fail(fields.get(key)?.key ?? this.#yaml.root, `${key} is missing (role on line ${line})`);
    }
    this.#warnings.push(`line ${line}: ${key} is missing; taken as ${describe(old)}`);
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
      if (this.#strict) throw this.#yaml.fail(key, `unknown key ${quoteName(name)}`);
      this.#warn(key, `unknown key ${quoteName(name)} was passed over`);
    }
  }

  #checkLength(node: Node, what: string, name: string): void {
    if (name.length >= 1 && name.length <= MAX_NAME_LENGTH) return;
    throw this.#yaml.fail(node, `a ${what} name must have 1 to ${MAX_NAME_LENGTH} characters`);
  }

  #warn(node: Node, message: string): void {
    this.#warnings.push(`line ${this.#yaml.line(node)}: ${message}`);
  }
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  return formatRateLimit(value as typeof OLD_RATE_LIMIT);
}
