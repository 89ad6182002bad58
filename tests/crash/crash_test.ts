/**
 * A vault that is killed again and again in the middle of its changes loses none that it acknowledged.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import type { StatusReport } from "../../admin/wire.ts";
import { AdminHttp, eventually, sleep, VaultClient } from "../clients.ts";
import { findTracesBelow } from "../secret_traces.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { createFleetRole, Operator, SecretKeeper, seededNumbers } from "./_fleet.ts";

const KILLS = 8;
const CHANGES = 200;
const OPERATORS = 4;

Deno.test("200 acknowledged changes survive eight kills at random points, and no revoked token comes back", async () => {
  const seed = Number(Deno.env.get("RUNEVAULT_TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const random = seededNumbers(seed);
  try {
    await crashAgainAndAgain(random);
  } catch (error) {
    throw new Error(`With RUNEVAULT_TEST_SEED=${seed}`, { cause: error });
  }
});

async function crashAgainAndAgain(random: () => number): Promise<void> {
  await using folder = await temporaryFolder();
  const operators = Array.from({ length: OPERATORS }, (_, id) => new Operator(id, seededNumbers(random() * 2 ** 32)));
  const keeper = new SecretKeeper();
  await prepare(folder.path, operators, keeper);
  let total = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    await using server = await StartedServer.start({ dataDir: folder.path });
    total += await workUntilKilled(server, operators, keeper, CHANGES / KILLS, random);
    if (kill % 3 === 1) await StartedServer.killedAfter(100 + random() * 250, { dataDir: folder.path });
    await verify(folder.path, operators, keeper);
  }
  ok(total >= CHANGES, `${total} changes`);
  const dead = operators.flatMap((operator) => operator.dead);
  ok(dead.length > 20, `${dead.length} tokens died`);
  deepEqual(await findTracesBelow(folder.path, Object.fromEntries(dead.map((token, i) => [`token ${i}`, token]))), []);
}

async function prepare(dataDir: string, operators: readonly Operator[], keeper: SecretKeeper): Promise<void> {
  await using server = await StartedServer.start({ dataDir });
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  await createFleetRole(admin);
  for (const operator of operators) await operator.prepare(admin);
  await keeper.prepare(admin, vault);
}

/** Kills the server some moments after `wanted` changes were acknowledged; returns how many were in the end. */
async function workUntilKilled(
  server: StartedServer,
  operators: readonly Operator[],
  keeper: SecretKeeper,
  wanted: number,
  random: () => number,
): Promise<number> {
  using admin = AdminHttp.of(server);
  let acknowledged = 0;
  let killed = false;
  const enough = Promise.withResolvers<void>();
  const onAcknowledged = () => {
    if (++acknowledged === wanted) enough.resolve();
  };
  const work = [
    ...operators.map((operator) => operator.work(admin, () => killed, onAcknowledged)),
    keeper.work(admin, server, () => killed, onAcknowledged),
  ];
  await Promise.race([enough.promise, Promise.all(work)]);
  // From in the middle of a commit to after the YAML files were written.
  await sleep(random() < 0.7 ? random() * 5 : random() * 500);
  killed = true;
  await server.kill();
  await Promise.all(work);
  return acknowledged;
}

async function verify(dataDir: string, operators: readonly Operator[], keeper: SecretKeeper): Promise<void> {
  await using server = await StartedServer.start({ dataDir });
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  for (const operator of operators) await operator.verify(vault, admin);
  await keeper.verify(vault, admin);
  await eventually("the files are in step", async () => {
    const { files, health } = await admin.expect<StatusReport>("GET", "/status");
    ok(files.every(({ state }) => state !== "refused"), JSON.stringify(files));
    return health === "healthy" && files.every(({ state }) => state === "written");
  });
  const { tokens } = await admin.expect<StatusReport>("GET", "/status");
  const text = await Deno.readTextFile(`${dataDir}/vault-tokens.yml`);
  equal(text.match(/token_hash: sha256:/g)?.length, tokens, "the file has every token");
  for await (const { name } of Deno.readDir(dataDir)) ok(!/^vault-.*\.new$/.test(name), `${name} was left`);
}
