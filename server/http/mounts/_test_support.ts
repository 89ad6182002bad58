/**
 * What tests of the identity API share: a vault with the whole API before it, its users, and calls as clients make them.
 *
 * @module
 */

import { NO_AUDIT } from "../../../tests/fakes/no_audit.ts";
import { strict as assert } from "node:assert";
import { type TestVault, withVault } from "../../../vault/_test_support.ts";
import type { ApiHandler } from "../api_parts.ts";
import { createVaultApi, OPERATOR } from "../identity_api.ts";

/** The address that the vault under test knows itself by. */
export const OWN_URL = "http://vault.test:8200";
const PASSWORD = "correct horse battery staple";
const ADDRESS = "192.0.2.1";

/** One call. */
export interface Call {
  readonly token?: string;
  readonly body?: unknown;
  /** Sent as a form instead of `body`. */
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer, read. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- tests read answers of many forms
  readonly body: any;
}

/** The API of a vault in a test's hands. */
export class TestApi {
  readonly handle: ApiHandler;

  constructor(readonly it: TestVault) {
    const { clock, random, logger, vault } = it;
    vault.engine.issuer.ownUrl = OWN_URL;
    const { engine } = vault;
    this.handle = createVaultApi({ ...NO_AUDIT, engine, clock, random, logger, version: "0.0.0", observe: () => {} });
  }

  /** Sends a request; without a token it is the operator's. */
  async call(method: string, path: string, { token, body, form, headers }: Call = {}): Promise<Answered> {
    const request = new Request(`${OWN_URL}/v1/${path}`, {
      method,
      headers: { ...(token === undefined ? {} : { "x-vault-token": token }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    const peer = { address: ADDRESS, isTls: false };
    const isOperator = token === undefined && form === undefined && headers === undefined;
    const response = await this.handle(request, isOperator ? { ...peer, operator: OPERATOR } : peer);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
  }

  /** Sends a request of the operator's and insists on success; its `data`. */
  // deno-lint-ignore no-explicit-any -- as above
  async done(method: string, path: string, body?: unknown): Promise<any> {
    const answered = await this.call(method, path, body === undefined ? {} : { body });
    assert.ok(answered.status < 300, `${method} ${path}: ${answered.status} ${JSON.stringify(answered.body)}`);
    return answered.body?.data;
  }

  /** The messages of a refusal. */
  async errors(method: string, path: string, call: Call = {}): Promise<[status: number, errors: string[]]> {
    const { status, body } = await this.call(method, path, call);
    return [status, body?.errors];
  }

  /** Makes a user with a login that holds policies. */
  async makeUser(name: string, policies: readonly string[] = []): Promise<void> {
    await this.it.vault.engine.accounts.create({ name, password: PASSWORD, policies });
  }

  /** Logs a user in. */
  async login(name: string): Promise<{ token: string; entityId: string; accessor: string }> {
    const { body } = await this.call("POST", `auth/userpass/login/${name}`, {
      headers: {},
      body: { password: PASSWORD },
    });
    assert.ok(body.auth, JSON.stringify(body));
    return { token: body.auth.client_token, entityId: body.auth.entity_id, accessor: body.auth.accessor };
  }
}

/** Opens a vault with its API, hands it to a test, and cleans up whatever happens. */
export function withApi(use: (api: TestApi) => Promise<void>): Promise<void> {
  return withVault({}, async (it) => await use(new TestApi(it)));
}
