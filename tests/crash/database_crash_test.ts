/**
 * A vault that is killed again and again while it makes and takes away database accounts leaves none that it doesn't know of,
 * and loses none that it handed out.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import { eventually, sleep } from "../clients.ts";
import {
  serversAreThere,
  startMariaDb,
  startPostgres,
  type TestServer,
  VAULT_PASSWORD,
  VAULT_USER,
} from "../database/_servers.ts";
import { ServedApi } from "../identity/_served.ts";
import { temporaryFolder } from "../started_server.ts";
import { seededNumbers } from "./_fleet.ts";

const KILLS = 8;
const ROUNDS = 100;
const WORKERS = 4;

/** An account that was handed out, and not asked back yet. */
interface Kept {
  readonly username: string;
  readonly password: string;
  readonly server: TestServer;
}

Deno.test({
  name: "100 rounds of accounts survive eight kills at random points [apt install mariadb-server postgresql]",
  ignore: !await serversAreThere(),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const seed = Number(Deno.env.get("RUNEVAULT_TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
    try {
      await crashAgainAndAgain(seededNumbers(seed));
    } catch (error) {
      throw new Error(`With RUNEVAULT_TEST_SEED=${seed}`, { cause: error });
    }
  },
});

async function crashAgainAndAgain(random: () => number): Promise<void> {
  await using mysql = await startMariaDb();
  await using postgresql = await startPostgres();
  await using folder = await temporaryFolder();
  const servers = [mysql, postgresql];
  await prepare(folder.path, servers);
  const kept: Kept[] = [];
  let rounds = 0;
  for (let kill = 0; kill < KILLS || rounds < ROUNDS; kill++) {
    ok(kill < 3 * KILLS, `${rounds} rounds`);
    rounds += await workUntilKilled(folder.path, servers, kept, random);
    await verify(folder.path, servers, kept);
  }
}

async function prepare(dataDir: string, servers: readonly TestServer[]): Promise<void> {
  await using api = await ServedApi.start({ dataDir });
  const must = async (path: string, body: unknown) => {
    const { status, body: answer } = await api.operator("POST", path, body);
    equal(status < 300, true, JSON.stringify(answer));
  };
  await must("sys/mounts/database", { type: "database" });
  for (const { kind, pluginName: plugin_name, url: connection_url, creation } of servers) {
    const account = { username: VAULT_USER, password: VAULT_PASSWORD };
    await must(`database/config/${kind}`, { plugin_name, connection_url, ...account, allowed_roles: "*" });
    await must(`database/roles/${kind}`, { db_name: kind, creation_statements: creation, default_ttl: "1h" });
  }
}

/** Returns how many rounds were answered to their end. */
async function workUntilKilled(
  dataDir: string,
  servers: readonly TestServer[],
  kept: Kept[],
  random: () => number,
): Promise<number> {
  const api = await ServedApi.start({ dataDir });
  const root = await api.rootToken();
  let isKilled = false;
  let rounds = 0;
  const enough = Promise.withResolvers<void>();
  const work = async () => {
    while (!isKilled) {
      try {
        await round(api, root, servers[Math.floor(random() * servers.length)]!, kept, random);
      } catch (error) {
        if (!isKilled) throw error;
        return;
      }
      if (++rounds === Math.ceil(ROUNDS / KILLS)) enough.resolve();
    }
  };
  const all = Promise.all(Array.from({ length: WORKERS }, work));
  await Promise.race([enough.promise, all]);
  await sleep(random() * 40);
  isKilled = true;
  await api.server.kill();
  await all;
  await api[Symbol.asyncDispose]().catch(() => {});
  return rounds;
}

async function round(api: ServedApi, root: string, server: TestServer, kept: Kept[], random: () => number) {
  const must = async (method: string, path: string, token: string, body?: unknown) => {
    const { status, body: answer } = await api.call(method, path, token, body);
    equal(status < 300, true, `${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  // Nobody's child: what is kept outlives the root token of this run.
  const { client_token: token } = (await must("POST", "auth/token/create-orphan", root)).auth;
  const { lease_id, data } = await must("GET", `database/creds/${server.kind}`, token);
  const account = { ...data, server } as Kept;
  kept.push(account);
  const draw = random();
  if (draw > 0.85) return;
  // From here on it may be gone, whether that is answered or not.
  kept.splice(kept.indexOf(account), 1);
  if (draw < 0.5) await must("PUT", "sys/leases/revoke", root, { lease_id });
  else await must("POST", "auth/token/revoke-self", token);
}

async function verify(dataDir: string, servers: readonly TestServer[], kept: readonly Kept[]): Promise<void> {
  await using api = await ServedApi.start({ dataDir });
  const live = async (): Promise<string[]> => {
    const { leases } = (await api.operator("GET", "sys/leases/held")).body.data;
    const inUse = leases.filter(({ state }: { state: string }) => state === "live");
    return inUse.map(({ username }: { username: string }) => username);
  };
  await eventually("every account has its lease", async () => {
    const accounts = (await Promise.all(servers.map((server) => server.accounts("v-")))).flat();
    const leased = new Set(await live());
    return accounts.every((account) => leased.has(account));
  }, 30_000);
  for (const { username, password, server } of kept) equal(await server.logsIn(username, password), true, username);
}
