/**
 * The identity API of a vault under test, without a network: every request goes through the whole pipeline.
 *
 * @module
 */

import { NO_AUDIT } from "../../tests/fakes/no_audit.ts";
import { equal } from "node:assert/strict";
import { type TestVault, type TestVaultOptions, withVault } from "../../vault/_test_support.ts";
import type { TrailReader } from "../../vault/audit/trail_reader.ts";
import type { ApiHandler } from "./api_parts.ts";
import { createVaultApi, OPERATOR } from "./identity_api.ts";

/** An answer, read. */
export interface Answered {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
  readonly body: any;
  readonly headers: Headers;
}

/** What may be said of a request besides its method and path. */
export interface Sent {
  readonly token?: string;
  readonly body?: unknown;
  readonly address?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A vault with its API. */
export class TestApi {
  readonly vault: TestVault;
  readonly #auditReader: TrailReader | undefined;
  #handle: ApiHandler;

  constructor(vault: TestVault, auditReader?: TrailReader) {
    this.vault = vault;
    this.#auditReader = auditReader;
    this.#handle = this.#open();
  }

  /** Opens the vault anew, as after a restart. */
  async reopen(): Promise<void> {
    await this.vault.restart();
    this.#handle = this.#open();
  }

  /** Sends a request with a token, or without one. */
  call(method: string, path: string, sent: Sent = {}): Promise<Answered> {
    return this.#send(method, path, sent, {});
  }

  /** Sends a body as it is, and gives the answer's as it is. */
  async raw(method: string, path: string, body: string | undefined, sent: Pick<Sent, "token" | "headers">) {
    const headers = { "x-vault-token": sent.token ?? "", ...sent.headers };
    const init = { method, headers, ...(body === undefined ? {} : { body }) };
    const peer = { address: "192.0.2.1", isTls: false };
    const response = await this.#handle(new Request(`http://vault.test/v1/${path}`, init), peer);
    return { status: response.status, text: await response.text() };
  }

  /** Sends a request with the operator's rights. */
  operator(method: string, path: string, body?: unknown): Promise<Answered> {
    return this.#send(method, path, body === undefined ? {} : { body }, { operator: OPERATOR });
  }

  /** As {@link operator}; fails the test unless it succeeds. Returns the answer's `data`. */
  async must(method: string, path: string, body?: unknown) {
    const { status, body: answered } = await this.operator(method, path, body);
    equal(status < 300, true, `${method} ${path}: ${status} ${JSON.stringify(answered)}`);
    return answered?.data ?? answered;
  }

  /** Mounts `userpass/` and makes users whose passwords are their names. */
  async withUsers(...names: string[]): Promise<void> {
    if (this.vault.vault.engine.mounts.byPath("auth", "userpass/") === undefined) {
      await this.must("POST", "sys/auth/userpass", { type: "userpass" });
    }
    for (const name of names) await this.must("POST", `auth/userpass/users/${name}`, { password: name });
  }

  /** Logs a user of {@link withUsers} in; returns the `auth` block. */
  async login(name: string, password = name, address = "192.0.2.1") {
    const { status, body } = await this.call("POST", `auth/userpass/login/${name}`, { body: { password }, address });
    equal(status, 200, JSON.stringify(body));
    return body.auth;
  }

  /** Writes a policy. */
  policy(name: string, text: string) {
    return this.must("PUT", `sys/policies/acl/${name}`, { policy: text });
  }

  #open(): ApiHandler {
    const { vault, clock, random, logger } = this.vault;
    vault.engine.issuer.ownUrl = "https://vault.test:8200";
    return createVaultApi({
      ...NO_AUDIT,
      auditReader: this.#auditReader,
      engine: vault.engine,
      clock,
      random,
      logger,
      version: "0.0.0",
      observe: () => {},
    });
  }

  async #send(method: string, path: string, sent: Sent, more: { operator?: typeof OPERATOR }): Promise<Answered> {
    const headers = { ...(sent.token === undefined ? {} : { "x-vault-token": sent.token }), ...sent.headers };
    const body = sent.body === undefined ? {} : { body: JSON.stringify(sent.body) };
    const request = new Request(`http://vault.test/v1/${path}`, { method, headers, ...body });
    const response = await this.#handle(request, { address: sent.address ?? "192.0.2.1", isTls: false, ...more });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text), headers: response.headers };
  }
}

/** Opens a vault with its API, hands it to a test, and cleans up whatever happens. */
export async function withApi(use: (api: TestApi) => Promise<void>, options: TestVaultOptions = {}): Promise<void> {
  await withVault(options, async (vault) => await use(new TestApi(vault)));
}
