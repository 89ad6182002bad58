/**
 * A vault that is killed again and again in the middle of its changes, and looked at after each start.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import type { StatusReport } from "../../admin/wire.ts";
import { AdminHttp, eventually, sleep, VaultClient } from "../clients.ts";
import { findTracesBelow } from "../secret_traces.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { FileEditor } from "./_file_editor.ts";
import { createFleetRole, Operator, SecretKeeper, seededNumbers } from "./_fleet.ts";

const OPERATORS = 4;
/** Every so many kills every dead token is tried, and the team secret is rotated. */
const THOROUGH_EVERY = 25;
const ROTATE_EVERY = 5;

/** How much is done to it. */
export interface KillPlan {
  readonly kills: number;
  /** Changes of one life that are waited for before it ends. */
  readonly changesALife: number;
  readonly random: () => number;
  readonly onKill?: (report: KillReport) => void;
}

/** What was done. */
export interface KillReport {
  /** Of a server under load, and of one that was still starting. */
  kills: number;
  killsAtStart: number;
  acknowledged: number;
  deadTokens: number;
  editsTaken: number;
  editsRefused: number;
}

/** The people of one run. */
class Cast {
  readonly operators: readonly Operator[];
  readonly keeper = new SecretKeeper();
  readonly editor: FileEditor;

  constructor(random: () => number) {
    const numbers = () => seededNumbers(random() * 2 ** 32);
    this.operators = Array.from({ length: OPERATORS }, (_, id) => new Operator(id, numbers()));
    this.editor = new FileEditor(numbers());
  }

  async prepare(dataDir: string): Promise<void> {
    await using server = await StartedServer.start({ dataDir });
    using admin = AdminHttp.of(server);
    using vault = VaultClient.of(server);
    await createFleetRole(admin);
    for (const operator of this.operators) await operator.prepare(admin);
    await this.keeper.prepare(admin, vault);
    await this.editor.prepare(admin);
  }

  get dead(): string[] {
    return this.operators.flatMap((operator) => operator.dead);
  }
}

/** Kills, starts and checks; throws where anything acknowledged is lost or anything dead lives. */
export async function killAgainAndAgain(plan: KillPlan): Promise<KillReport> {
  await using folder = await temporaryFolder();
  const cast = new Cast(plan.random);
  await cast.prepare(folder.path);
  const report = { kills: 0, killsAtStart: 0, acknowledged: 0, deadTokens: 0, editsTaken: 0, editsRefused: 0 };
  while (report.kills + report.killsAtStart < plan.kills) {
    await liveOnce(folder.path, cast, plan, report);
    if (plan.random() < 0.15 && report.kills + report.killsAtStart < plan.kills) {
      await StartedServer.killedAfter(50 + plan.random() * 300, { dataDir: folder.path });
      report.killsAtStart++;
    }
    report.deadTokens = cast.dead.length;
    [report.editsTaken, report.editsRefused] = [cast.editor.taken, cast.editor.refused];
    plan.onKill?.(report);
  }
  await using server = await StartedServer.start({ dataDir: folder.path });
  await verify(server, cast, true);
  await server.stop();
  const secrets = Object.fromEntries(cast.dead.map((token, i) => [`token ${i}`, token]));
  deepEqual(await findTracesBelow(folder.path, secrets), []);
  return report;
}

/** One life: a start, a look at everything, changes, and the kill. */
async function liveOnce(dataDir: string, cast: Cast, plan: KillPlan, report: KillReport): Promise<void> {
  await using server = await StartedServer.start({ dataDir });
  await verify(server, cast, report.kills % THOROUGH_EVERY === 0);
  report.acknowledged += await workUntilKilled(server, cast, plan, report.kills % ROTATE_EVERY === 0);
  report.kills++;
}

/** Kills the server some moments after enough changes were acknowledged; returns how many were in the end. */
async function workUntilKilled(
  server: StartedServer,
  { operators, keeper, editor }: Cast,
  { changesALife, random }: KillPlan,
  rotates: boolean,
): Promise<number> {
  using admin = AdminHttp.of(server);
  let acknowledged = 0;
  let killed = false;
  const enough = Promise.withResolvers<void>();
  const stopped = () => killed;
  const onAcknowledged = () => {
    if (++acknowledged >= changesALife) enough.resolve();
  };
  const work = [
    ...operators.map((operator) => operator.work(admin, stopped, onAcknowledged)),
    editor.work(admin, server, stopped, onAcknowledged),
    ...(rotates ? [keeper.work(admin, server, stopped, onAcknowledged)] : []),
  ];
  await Promise.race([enough.promise, Promise.all(work)]);
  // From in the middle of a commit to after the YAML files were written.
  await sleep(random() < 0.7 ? random() * 5 : random() * 500);
  killed = true;
  await server.kill();
  await Promise.all(work);
  return acknowledged;
}

async function verify(server: StartedServer, cast: Cast, isThorough: boolean): Promise<void> {
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  for (const operator of cast.operators) await operator.verify(vault, admin, isThorough);
  await cast.keeper.verify(vault, admin);
  await cast.editor.verify(admin);
  await eventually("the files are in step", async () => {
    const { files, health } = await admin.expect<StatusReport>("GET", "/status");
    ok(files.every(({ state }) => state !== "refused"), JSON.stringify(files));
    return health === "healthy" && files.every(({ state }) => state === "written");
  });
  const { tokens } = await admin.expect<StatusReport>("GET", "/status");
  const text = await Deno.readTextFile(`${server.dataDir}/vault-tokens.yml`);
  equal(text.match(/token_hash: sha256:/g)?.length ?? 0, tokens, "the file has every token");
  for await (const { name } of Deno.readDir(server.dataDir)) ok(!/^vault-.*\.new$/.test(name), `${name} was left`);
}
