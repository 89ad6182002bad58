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
import { HttpCalls } from "./http_calls.ts";
import { plainClient } from "./plain_accounts.ts";

const ACCOUNTS = Number(Deno.env.get("RUNEVAULT_BENCH_ACCOUNTS") ?? "150");
const ROUNDS = Number(Deno.env.get("RUNEVAULT_BENCH_ROUNDS") ?? "3");
const PARALLEL = [1, 8] as const;

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Does something for each of some things, one after the other in each of some places at the same time; how many a second. */
async function rate<T, P>(
  things: readonly T[],
  places: readonly P[],
  work: (thing: T, place: P) => Promise<void>,
): Promise<number> {
  const left = [...things];
  const began = performance.now();
  await Promise.all(places.map(async (place) => {
    for (let thing = left.pop(); thing !== undefined; thing = left.pop()) await work(thing, place);
  }));
  return things.length / (performance.now() - began) * 1000;
}

interface Rates {
  readonly issued: number;
  readonly revoked: number;
}

const NUMBERS = Array.from({ length: ACCOUNTS }, (_, i) => i);

async function byVault(calls: readonly HttpCalls[]): Promise<Rates> {
  const leases: string[] = [];
  const must = async (from: HttpCalls, method: string, path: string, sent?: unknown) => {
    const { status, body } = await from.ask(method, `/v1/${path}`, sent === undefined ? "" : JSON.stringify(sent));
    if (status >= 300) throw new Error(`${path}: ${body}`);
    return body === "" ? null : JSON.parse(body);
  };
  const issued = await rate(NUMBERS, calls, async (_, from) => {
    leases.push((await must(from, "GET", "database/creds/app")).lease_id);
  });
  const revoked = await rate(leases, calls, async (lease_id, from) => {
    await must(from, "PUT", "sys/leases/revoke", { lease_id });
  });
  return { issued, revoked };
}

async function byClient(server: TestServer, atOnce: number): Promise<Rates & { readonly dropped: number }> {
  await using client = plainClient(server, atOnce);
  const names = NUMBERS.map((i) => `plain-${i}`);
  const create = (name: string) => client.create(name, `A-plain-Password-${name.slice(-3)}`);
  const places = Array.from({ length: atOnce });
  const issued = await rate(names, places, create);
  const revoked = await rate(names, places, (name) => client.drop(name));
  await rate(names, places, create);
  const dropped = await rate(names, places, (name) => client.dropOnly(name));
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
  const port = Number(api.server.addresses.api!.split(":").at(-1));
  for (const atOnce of PARALLEL) {
    const headers = { "x-vault-token": token };
    const calls = await Promise.all(Array.from({ length: atOnce }, () => HttpCalls.open(port, headers)));
    const vault: Rates[] = [];
    const plain: Awaited<ReturnType<typeof byClient>>[] = [];
    // The first round is nobody's: what runs for the first time runs slowly, here as there.
    for (let round = 0; round <= ROUNDS; round++) {
      const rates = [await byVault(calls), await byClient(server, atOnce)] as const;
      if (round === 0) continue;
      vault.push(rates[0]);
      plain.push(rates[1]);
    }
    for (const one of calls) one[Symbol.dispose]();
    const when = `${name}, ${atOnce} at a time`;
    row(`issued, ${when}`, vault.map((one) => one.issued), plain.map((one) => one.issued));
    row(`revoked, ${when}`, vault.map((one) => one.revoked), plain.map((one) => one.revoked));
    row(`  beside the drop alone`, vault.map((one) => one.revoked), plain.map((one) => one.dropped));
  }
}
