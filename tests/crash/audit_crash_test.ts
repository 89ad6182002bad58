/**
 * A vault that is killed under load: its trail is whole afterwards, and every change that was answered has its entry.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { parseLine } from "../../vault/audit/entry.ts";
import { parseSeriesKey } from "../../vault/audit/series_key.ts";
import { trailFiles } from "../../vault/audit/trail_files.ts";
import { verifyTrail } from "../../vault/audit/verify.ts";
import { AdminHttp, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

const KILLS = 5;
const LOADERS = 8;

/** What was answered before the kill. */
interface Answered {
  /** Users whose token was issued, and those whose token was revoked. */
  readonly issued: Set<string>;
  readonly revoked: Set<string>;
  reads: number;
}

async function load(server: StartedServer, round: number, isOver: () => boolean, answered: Answered): Promise<void> {
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  const worker = async (id: number) => {
    for (let n = 0; !isOver(); n++) {
      const user = `user-${round}-${id}-${n}`;
      const made = await admin.ask<{ token: string }>("POST", "/tokens", { user, role: "member" }).catch(() => null);
      if (made?.status !== 201) return;
      answered.issued.add(user);
      for (let i = 0; i < 5; i++) {
        if ((await vault.manifest(made.body.token)).code === status.OK) answered.reads++;
      }
      const ended = await admin.ask("DELETE", `/tokens/${user}`).catch(() => null);
      if (ended?.status === 200) answered.revoked.add(user);
    }
  };
  await Promise.all(Array.from({ length: LOADERS }, (_, id) => worker(id)));
}

Deno.test("killed at random points under load, the chain verifies and every acknowledged change has its entry", async () => {
  await using folder = await temporaryFolder();
  const dataDir = folder.path;
  const answered: Answered = { issued: new Set(), revoked: new Set(), reads: 0 };
  for (let round = 0; round < KILLS; round++) {
    const server = await StartedServer.start({ dataDir });
    let isOver = false;
    const loading = load(server, round, () => isOver, answered);
    await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 1200));
    await server.kill();
    isOver = true;
    await loading;
  }
  await (await StartedServer.start({ dataDir })).stop();

  const files = await trailFiles(`${dataDir}/audit.log`);
  const keys = [parseSeriesKey(await Deno.readTextFile(`${dataDir}/audit.k0`))];
  const report = await verifyTrail(files, { keys });
  equal(report.broken, null);
  equal(report.checkedKeys, report.lines);
  const entries = (await Deno.readTextFile(`${dataDir}/audit.log`)).split("\n").slice(0, -1).map(parseLine);
  const named = (operation: string) =>
    entries.filter((entry) => entry.operation === operation && entry.decision === "allowed")
      .map(({ resource }) => String(resource?.["user"]));
  const [issued, revoked] = [named("POST /tokens"), named("DELETE /tokens/:user")];
  ok(answered.issued.size > KILLS, `${answered.issued.size} changes`);
  for (const user of answered.issued) equal(issued.filter((one) => one === user).length, 1, `${user} was issued`);
  for (const user of answered.revoked) equal(revoked.filter((one) => one === user).length, 1, `${user} was revoked`);
  const reads = entries.filter(({ operation }) => operation === "get_agent_manifest");
  ok(reads.length >= answered.reads, `${answered.reads} reads were answered, ${reads.length} recorded`);
  // A number of a change stands in one entry: nothing was recorded twice, and each change in its order.
  const changes = entries.flatMap(({ change, continues }) => change === undefined || continues ? [] : [change]);
  equal(new Set(changes).size, changes.length);
});
