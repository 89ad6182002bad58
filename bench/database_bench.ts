/**
 * Database accounts: issued and revoked a second by the vault, beside a plain client loop that sends the same SQL to the same
 * server, in one run. Nothing here fails on a number.
 *
 * @module
 */

import {
  startMariaDb,
  startPostgres,
  type TestServer,
  VAULT_PASSWORD,
  VAULT_USER,
} from "../tests/database/_servers.ts";
import { ServedApi } from "../tests/identity/_served.ts";
import { plainClient } from "./plain_accounts.ts";

const ACCOUNTS = Number(Deno.env.get("RUNEVAULT_BENCH_ACCOUNTS") ?? "150");
const ROUNDS = Number(Deno.env.get("RUNEVAULT_BENCH_ROUNDS") ?? "3");
const PARALLEL = [1, 8] as const;

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Does something for each of some things, so many at a time; how many a second. */
async function rate<T>(things: readonly T[], atOnce: number, work: (thing: T) => Promise<void>): Promise<number> {
  const left = [...things];
  const began = performance.now();
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let thing = left.pop(); thing !== undefined; thing = left.pop()) await work(thing);
  }));
  return things.length / (performance.now() - began) * 1000;
}

interface Rates {
  readonly issued: number;
  readonly revoked: number;
}

const NUMBERS = Array.from({ length: ACCOUNTS }, (_, i) => i);

async function byVault(api: ServedApi, token: string, atOnce: number): Promise<Rates> {
  const leases: string[] = [];
  const must = async (method: string, path: string, sent?: unknown) => {
    const { status, body } = await api.call(method, path, token, sent);
    if (status >= 300) throw new Error(`${path}: ${JSON.stringify(body)}`);
    return body;
  };
  const issued = await rate(NUMBERS, atOnce, async () => {
    leases.push((await must("GET", "database/creds/app")).lease_id);
  });
  const revoked = await rate(leases, atOnce, async (lease_id) => {
    await must("PUT", "sys/leases/revoke", { lease_id });
  });
  return { issued, revoked };
}

async function byClient(server: TestServer, atOnce: number): Promise<Rates & { readonly dropped: number }> {
  await using client = plainClient(server, atOnce);
  const names = NUMBERS.map((i) => `plain-${i}`);
  const create = (name: string) => client.create(name, `A-plain-Password-${name.slice(-3)}`);
  const issued = await rate(names, atOnce, create);
  const revoked = await rate(names, atOnce, (name) => client.drop(name));
  await rate(names, atOnce, create);
  const dropped = await rate(names, atOnce, (name) => client.dropOnly(name));
  return { issued, revoked, dropped };
}

async function prepare(api: ServedApi, { pluginName, url, creation }: TestServer): Promise<void> {
  const must = async (path: string, body: unknown) => {
    const answered = await api.operator("POST", path, body);
    if (answered.status >= 300) throw new Error(`${path}: ${JSON.stringify(answered.body)}`);
  };
  await must("sys/mounts/database", { type: "database" });
  const account = { username: VAULT_USER, password: VAULT_PASSWORD, allowed_roles: "*", max_open_connections: 8 };
  await must("database/config/main", { plugin_name: pluginName, connection_url: url, ...account });
  await must("database/roles/app", { db_name: "main", creation_statements: creation, default_ttl: "1h" });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function row(what: string, vault: readonly number[], plain: readonly number[]): void {
  const ratios = vault.map((one, i) => one / plain[i]!);
  const figures = `${median(vault).toFixed(0)} /s, ratio ${median(ratios).toFixed(2)}`;
  print(`${what.padEnd(44)} ${figures.padEnd(24)} of a plain loop's ${median(plain).toFixed(0)} /s (aim 0.5)`);
}

for (
  const [name, start] of [["MariaDB", startMariaDb], ["PostgreSQL", () => startPostgres({ isDurable: true })]] as const
) {
  await using server = await start();
  await using api = await ServedApi.start();
  await prepare(api, server);
  const token = await api.rootToken();
  for (const atOnce of PARALLEL) {
    const vault: Rates[] = [];
    const plain: Awaited<ReturnType<typeof byClient>>[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      vault.push(await byVault(api, token, atOnce));
      plain.push(await byClient(server, atOnce));
    }
    const when = `${name}, ${atOnce} at a time`;
    row(`issued, ${when}`, vault.map((one) => one.issued), plain.map((one) => one.issued));
    row(`revoked, ${when}`, vault.map((one) => one.revoked), plain.map((one) => one.revoked));
    row(`  beside the drop alone`, vault.map((one) => one.revoked), plain.map((one) => one.dropped));
  }
}
