/**
 * A vault whose database engine reaches a real server.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import { DATABASE_PLUGINS } from "../../databases/mod.ts";
import { type Answered, type TestApi, withApi } from "../../server/http/_test_support.ts";
import { systemClock, systemRandom } from "../../server/clock.ts";
import { type Faults, withFaults } from "./_faults.ts";
import {
  serversAreThere,
  startMariaDb,
  startPostgres,
  type TestServer,
  VAULT_PASSWORD,
  VAULT_USER,
} from "./_servers.ts";

/** An account as it was answered. */
export interface Issued {
  readonly leaseId: string;
  readonly username: string;
  readonly password: string;
  readonly ttl: number;
}

/** A vault with `database/` mounted, and a connection `main` to the server. */
export class DatabaseApi {
  /** What goes wrong between the vault and the server. */
  readonly faults: Faults;

  constructor(readonly api: TestApi, readonly server: TestServer, faults: Faults) {
    this.faults = faults;
  }

  /** The accessor of the mount. */
  get accessor(): string {
    return this.api.vault.vault.engine.mounts.byPath("secret", "database/")!.accessor;
  }

  /** A server of the other kind. */
  otherServer(): Promise<TestServer> {
    return sharedServer(this.server.kind === "mysql" ? "postgresql" : "mysql");
  }

  get engine() {
    return this.api.vault.vault.engine.database;
  }

  /** Mounts the engine and connects it; starts what happens by itself. */
  async prepare(): Promise<void> {
    await this.api.must("POST", "sys/mounts/database", { type: "database" });
    await this.connect();
    this.startSweepers();
  }

  connect(more: Record<string, unknown> = {}) {
    return this.api.must("POST", "database/config/main", {
      plugin_name: this.server.pluginName,
      connection_url: this.server.url,
      username: VAULT_USER,
      password: VAULT_PASSWORD,
      allowed_roles: "*",
      ...more,
    });
  }

  startSweepers(): void {
    this.api.vault.vault.engine.start(() => true);
  }

  /** Opens the vault anew, as after a restart. */
  async restart(): Promise<void> {
    await this.api.reopen();
    this.startSweepers();
  }

  role(name: string, more: Record<string, unknown> = {}) {
    return this.api.must("POST", `database/roles/${name}`, {
      db_name: "main",
      creation_statements: this.server.creation,
      default_ttl: "1h",
      max_ttl: "24h",
      ...more,
    });
  }

  /** A user with a login who may read all credentials; returns the token. */
  async user(name: string): Promise<string> {
    await this.api.policy("creds", `path "database/creds/*" { capabilities = ["read"] }`);
    await this.api.withUsers(name);
    await this.api.must("POST", `auth/userpass/users/${name}`, { policies: ["creds"] });
    return (await this.api.login(name)).client_token;
  }

  /** A root token. */
  async rootToken(): Promise<string> {
    return (await this.api.vault.vault.engine.rootTokens.make()).token;
  }

  /** A role whose evt tokens may read all credentials. */
  async evtRole(name: string): Promise<void> {
    await this.api.policy(
      "creds",
      `path "database/creds/*" { capabilities = ["read"] }\npath "auth/token/create" { capabilities = ["create", "update"] }`,
    );
    const role = { name, scope: ["get_bundle"], topK: 1, rateLimit: "1000/60s", policies: ["creds"] };
    await this.api.vault.vault.roles.create(role);
  }

  read(role: string, token: string): Promise<Answered> {
    return this.api.call("GET", `database/creds/${role}`, { token });
  }

  async issue(role: string, token: string): Promise<Issued> {
    const { status, body } = await this.read(role, token);
    equal(status, 200, JSON.stringify(body));
    const { username, password } = body.data;
    return { leaseId: body.lease_id, username, password, ttl: body.lease_duration };
  }

  /** Leaves the server as the next test wants it. */
  async clean(): Promise<void> {
    await this.api.operator("PUT", "sys/leases/revoke-prefix/database");
  }

  /** Waits until something holds. */
  async until(holds: () => Promise<boolean> | boolean, what: string, timeoutMs = 10_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!await holds()) {
      if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Accounts that the vault made. */
  accounts(): Promise<string[]> {
    return this.server.accounts("v-");
  }
}

const servers: { [K in TestServer["kind"]]?: TestServer } = {};

async function sharedServer(kind: TestServer["kind"]): Promise<TestServer> {
  return servers[kind] ??= await START[kind]();
}

const START = { mysql: startMariaDb, postgresql: startPostgres };

/**
 * Declares one test for each kind of server. A file's tests share servers, which end with the process's last test.
 *
 * @param fresh Whether the test stops its server, and so needs one of its own.
 */
export function databaseTest(
  description: string,
  use: (it: DatabaseApi) => Promise<void>,
  { fresh = false, hasTls = false }: { fresh?: boolean; hasTls?: boolean } = {},
): void {
  for (const kind of ["mysql", "postgresql"] as const) {
    Deno.test({
      name: `${kind}: ${description} [apt install mariadb-server postgresql]`,
      ignore: !IS_THERE,
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        const server = fresh ? await START[kind]({ hasTls }) : await sharedServer(kind);
        const faults: Faults = {};
        try {
          await withApi(async (api) => {
            const it = new DatabaseApi(api, server, faults);
            await it.prepare();
            try {
              await use(it);
            } finally {
              await it.clean();
            }
          }, { databasePlugins: withFaults(DATABASE_PLUGINS, faults), clock: systemClock, random: systemRandom });
        } finally {
          if (fresh) await server[Symbol.asyncDispose]();
        }
      },
    });
  }
}

const IS_THERE = await serversAreThere();

/** Call at the end of each file that uses {@link databaseTest}: stops the servers. */
export function stopServersAfterwards(): void {
  Deno.test({
    name: "the database servers stop",
    ignore: !IS_THERE,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      for (const server of Object.values(servers)) await server[Symbol.asyncDispose]();
    },
  });
}
