/**
 * A vault behind its identity API, for inputs one after the other: making one takes longer than a thousand requests.
 *
 * After so many inputs another takes its place, so that what they leave behind is bounded.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { TestVault } from "../../../vault/_test_support.ts";
import type { NativeArgon2 } from "../../../vault/userpass/native_passwords.ts";
import { NO_AUDIT } from "../../fakes/no_audit.ts";
import type { ApiHandler } from "../../../server/http/api_parts.ts";
import { createVaultApi, OPERATOR } from "../../../server/http/identity_api.ts";
import { must, PLANTED } from "../refusals.ts";

/** Who asks. */
export const CALLERS = ["operator", "root", "alice", "nobody"] as const;
export type Caller = typeof CALLERS[number];

/** Every mount that there can be is there. */
const MOUNTS = { "sys/auth/userpass": { type: "userpass" }, "sys/mounts/database": { type: "database" } };
const ADDRESS = "192.0.2.1";

/** A path of the API, as its OpenAPI document has it. */
export interface ApiPath {
  /** With `{name}` for what varies, without `/v1/`. */
  readonly path: string;
  readonly isOpen: boolean;
  /** The fields of a write. */
  readonly fields: readonly string[];
}

/** A vault, its API and its users. */
export class ApiVault {
  readonly #vault: TestVault;
  readonly #handle: ApiHandler;
  readonly #tokens: Record<Caller, string> = { operator: "", root: "", alice: "", nobody: `hvs.${"x".repeat(24)}` };
  /** What stands for `{{name}}` in a request. */
  readonly #known: Record<string, string> = {};

  private constructor(vault: TestVault) {
    this.#vault = vault;
    const { clock, random, logger } = vault;
    const parts = { clock, random, logger, version: "0.0.0", observe: () => {} };
    vault.vault.engine.issuer.ownUrl = "https://vault.test:8200";
    this.#handle = createVaultApi({ ...NO_AUDIT, ...parts, engine: vault.vault.engine });
  }

  static async open(): Promise<ApiVault> {
    const vault = new TestVault(await Deno.makeTempDir({ prefix: "runevault-fuzz-" }));
    await vault.open({ nativeArgon2: QUICK_PASSWORDS });
    const api = new ApiVault(vault);
    await api.#prepare();
    return api;
  }

  /** How often the store was changed. */
  get changes(): number {
    return this.#vault.vault.state.sequence;
  }

  /** What was logged since this was asked last. */
  takeLog(): string {
    const { logger } = this.#vault;
    const text = logger.text();
    logger.events.length = 0;
    return text;
  }

  /** Puts what this vault has in the places that name it: `{{token}}`, `{{accessor}}`, `{{entity}}`. */
  fill(text: string): string {
    return text.replace(/\{\{(token|accessor|entity)\}\}/g, (_, name: string) => this.#known[name]!);
  }

  /** Answers a request of a caller. */
  async send(caller: Caller, request: Request): Promise<Response> {
    if (caller !== "operator") request.headers.set("x-vault-token", this.#tokens[caller]);
    const peer = { address: ADDRESS, isTls: false, ...(caller === "operator" ? { operator: OPERATOR } : {}) };
    return await this.#handle(request, peer);
  }

  /** Every path that the API says it has. */
  async paths(): Promise<ApiPath[]> {
    const { paths } = await this.#ask("GET", "sys/internal/specs/openapi") as { paths: Record<string, PathItem> };
    return Object.entries(paths).map(([path, item]) => ({
      path: path.slice(1),
      isOpen: item["x-vault-unauthenticated"] === true,
      fields: Object.keys(item.post?.requestBody?.content["application/json"].schema.properties ?? {}),
    }));
  }

  async close(): Promise<void> {
    await this.#vault.close();
    await Deno.remove(this.#vault.folder, { recursive: true });
  }

  async #prepare(): Promise<void> {
    for (const [path, body] of Object.entries(MOUNTS)) await this.#ask("POST", path, body);
    // The first who needs the default key would wait for it, and RSA takes long.
    await this.#vault.vault.engine.oidcKeys.needed("default");
    await this.#ask("POST", "auth/userpass/users/alice", { password: PLANTED.apiKey });
    const login = await this.#ask("POST", "auth/userpass/login/alice", { password: PLANTED.apiKey });
    const { client_token: token, accessor, entity_id: entity } = login["auth"] as Record<string, string>;
    this.#tokens.alice = this.#known["token"] = token!;
    this.#known["accessor"] = accessor!;
    this.#known["entity"] = entity!;
    this.#tokens.root = (await this.#vault.vault.engine.rootTokens.make()).token;
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await this.send("operator", new Request(`http://vault.test/v1/${path}`, init));
    const text = await answer.text();
    must(answer.ok, `${method} ${path} answered ${answer.status} ${text}`);
    return text === "" ? {} : JSON.parse(text);
  }
}

interface PathItem {
  readonly "x-vault-unauthenticated"?: boolean;
  readonly post?: {
    readonly requestBody?: {
      readonly content: { readonly "application/json": { readonly schema: { readonly properties: object } } };
    };
  };
}

/** Argon2 takes as long as it was made to take; what its costs are is no question here. */
const QUICK_PASSWORDS: NativeArgon2 = {
  hash: (password, salt) => Promise.resolve(quickHash(password, salt.toHex())),
  verify: (password, hash) => Promise.resolve(quickHash(password, hash.split("$").at(-2) ?? "") === hash),
};

function quickHash(password: string, salt: string): string {
  return `$argon2id$${salt}$${createHash("sha256").update(salt + password).digest("hex")}`;
}
