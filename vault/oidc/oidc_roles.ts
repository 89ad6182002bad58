/**
 * Roles of identity tokens: which key signs them, for whom, and what they say.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";
import { randomBase62 } from "../service_tokens/token_text.ts";
import type { OidcRoleRecord } from "../storage/identity_records.ts";
import type { Surroundings } from "../tokens/token_service.ts";
import { checkedRequestClaims, checkedTemplate } from "./claims.ts";
import type { OidcKeys } from "./oidc_keys.ts";
import type { ClaimTemplate } from "./template.ts";

const DAY = 86_400;
const CLIENT_ID_LETTERS = 26;
/** What an application keeps about a session is its own word by nature. */
const DEFAULT_SELF_ASSERTED = ["session_id"];

/** What a write of a role may say; absent fields stay. */
export interface OidcRoleInput {
  readonly key?: string;
  /** Text, or base64 of it. */
  readonly template?: string;
  readonly ttl?: number;
  /** Null or empty: a new one is drawn. */
  readonly clientId?: string | null;
  readonly selfAsserted?: readonly string[];
  readonly requestClaims?: readonly string[];
}

/** Everything that is done to roles. */
export class OidcRoles {
  readonly #in: Surroundings;
  readonly #keys: OidcKeys;
  readonly #templates = new WeakMap<OidcRoleRecord, ClaimTemplate>();
  #stamp = 0;

  constructor(surroundings: Surroundings, keys: OidcKeys) {
    this.#in = surroundings;
    this.#keys = keys;
    surroundings.state.watch("oidc_role", () => void this.#stamp++);
  }

  /** Grows with every change of any role. */
  get stamp(): number {
    return this.#stamp;
  }

  /** A role by its name. */
  get(name: string): OidcRoleRecord | undefined {
    return this.#in.state.table("oidc_role").get(name);
  }

  /** The names of all roles. */
  list(): string[] {
    return [...this.#in.state.table("oidc_role").keys()].sort();
  }

  /** The template of a role, read. */
  templateOf(role: OidcRoleRecord): ClaimTemplate {
    const known = this.#templates.get(role);
    if (known !== undefined) return known;
    const template = checkedTemplate(role.template);
    this.#templates.set(role, template);
    return template;
  }

  /** The names of keys that some role uses. */
  keysInUse(): Set<string> {
    return new Set([...this.#in.state.table("oidc_role").values()].map((role) => role.key));
  }

  /** The names of roles whose template speaks of a word, such as an accessor's stable name. */
  mentioning(word: string): string[] {
    return [...this.#in.state.table("oidc_role").values()].filter(({ template }) => template.includes(word))
      .map(({ name }) => name);
  }

  /**
   * Makes a role, or changes what is given of one.
   *
   * @returns What its author should know.
   * @throws {VaultError} `invalid_argument`.
   */
  async put(name: string, input: OidcRoleInput): Promise<string[]> {
    const keyName = input.key ?? this.get(name)?.key;
    if (keyName === undefined || keyName === "") {
      throw new VaultError("invalid_argument", "the key parameter is required");
    }
    await this.#keys.needed(keyName);
    const template = input.template === undefined ? undefined : decodedTemplate(input.template);
    if (template !== undefined) checkedTemplate(template);
    return await this.#in.writer.change(() => {
      const record = this.#updated(name, keyName, template, input);
      const allowed = this.#keys.get(keyName)!.allowedClientIds;
      const isServed = allowed === undefined || allowed.includes("*") || allowed.includes(record.clientId);
      const warnings = isServed ? [] : [
        `the key ${
          JSON.stringify(keyName)
        } does not list the client ID ${record.clientId} of this role, so no token can be issued`,
      ];
      return { writes: [{ kind: "oidc_role", key: name, value: record }], result: () => warnings };
    });
  }

  /** Deletes a role; absent: nothing. */
  delete(name: string): Promise<void> {
    return this.#in.writer.change(() => ({
      writes: this.get(name) === undefined ? [] : [{ kind: "oidc_role", key: name }],
      result: () => {},
    }));
  }

  #updated(name: string, keyName: string, template: string | undefined, input: OidcRoleInput): OidcRoleRecord {
    const before = this.get(name);
    const key = this.#keys.get(keyName);
    if (key === undefined) throw new VaultError("invalid_argument", `cannot find key ${JSON.stringify(keyName)}`);
    const ttl = input.ttl ?? before?.ttl ?? DAY;
    if (ttl > key.verificationTtl) {
      throw new VaultError(
        "invalid_argument",
        "a role's token ttl cannot be longer than the verification_ttl of the key it references",
        {
          hint: `give a ttl of ${key.verificationTtl} s or less`,
        },
      );
    }
    const clientId = input.clientId === undefined ? before?.clientId : input.clientId || undefined;
    if (clientId !== undefined) this.#assertClientId(name, clientId);
    return {
      name,
      key: keyName,
      template: template ?? before?.template ?? "",
      ttl,
      clientId: clientId ?? randomBase62(this.#in.random, CLIENT_ID_LETTERS),
      selfAsserted: input.selfAsserted ?? before?.selfAsserted ?? DEFAULT_SELF_ASSERTED,
      requestClaims: checkedRequestClaims(input.requestClaims ?? before?.requestClaims ?? []),
    };
  }

  /** S12: a verifier tells tokens apart by their audience, so no two roles or clients share one. */
  #assertClientId(name: string, clientId: string): void {
    if (!/^[\x21-\x7e]{1,256}$/.test(clientId)) throw new VaultError("invalid_argument", "invalid client_id");
    const { state } = this.#in;
    const role = [...state.table("oidc_role").values()].find((one) => one.clientId === clientId && one.name !== name);
    const client = [...state.table("oidc_client").values()].find((one) => one.clientId === clientId);
    if (role === undefined && client === undefined) return;
    throw new VaultError("already_exists", "this client_id is in use by another role or client");
  }
}

/** A text that is nothing but base64 is taken as such; JSON never is, for it has braces. */
function decodedTemplate(given: string): string {
  const bare = given.trim();
  if (bare === "" || bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(bare)) return given;
  return Buffer.from(bare, "base64").toString("utf8");
}
