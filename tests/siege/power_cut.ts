/**
 * Power cuts: whatever was not synced is gone, and nothing else. That it would see a sync that is missing is tested itself.
 *
 * @module
 */

import { status } from "@grpc/grpc-js";
import type { FileRow } from "../../admin/wire.ts";
import { parseLine } from "../../vault/audit/entry.ts";
import { parseSeriesKey } from "../../vault/audit/series_key.ts";
import { trailFiles } from "../../vault/audit/trail_files.ts";
import { verifyTrail } from "../../vault/audit/verify.ts";
import { AdminHttp, sleep, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { type Attack, count, must } from "./attack.ts";
import { Power } from "./power.ts";

const SHORT_CUTS = 4;
const LONG_CUTS = 100;

/** What is known of a user: the token that was acknowledged last, null after a revocation; and what is under way. */
interface Known {
  token: string | null;
  readonly dead: string[];
  isOpen: boolean;
  acknowledged: number;
}

/** What several lives on the same data are made of. */
export interface Cuts {
  readonly cuts: number;
  readonly random: () => number;
  /** How names of files begin whose syncs are lost, `.` for the folder's: what the attack must see. */
  readonly blind?: string;
  /** From which life on; absent: from the first. */
  readonly blindFrom?: number;
  readonly onProgress?: (line: string) => void;
}

/** Cuts the power under load, again and again on the same data. */
export const powerCuts: Attack = {
  name: "power cuts",
  hasTls: false,
  run: async ({ isLong, random, onProgress }) => {
    const cuts = isLong ? LONG_CUTS : SHORT_CUTS;
    const acknowledged = await cutAgainAndAgain({ cuts, random, onProgress });
    return `${cuts} cuts, each without what was not synced; ${count(acknowledged)} changes acknowledged, all there ` +
      "and recorded, both files of names and rights whole";
  },
};

/** Returns the changes acknowledged; throws where one is gone, or a file that was to be there. */
export async function cutAgainAndAgain({ cuts, random, blind, blindFrom = 0, onProgress }: Cuts): Promise<number> {
  await using folder = await temporaryFolder();
  const power = await Power.prepare(folder.path);
  const known = new Map<string, Known>();
  for (let cut = 1; cut <= cuts; cut++) {
    await power.live(cut > blindFrom ? blind : undefined, async (server) => {
      await verify(server, known);
      const load = changes(server, known, random);
      await sleep(100 + random() * 600);
      await server.kill();
      await load;
    });
    if (cut % 10 === 0) onProgress?.(`${cut} cuts, ${sum(known)} changes acknowledged`);
  }
  const dataDir = power.last;
  {
    await using server = await StartedServer.start({ dataDir });
    await verify(server, known);
  }
  await verifyRecords(dataDir, known);
  return sum(known);
}

function sum(known: ReadonlyMap<string, Known>): number {
  return [...known.values()].reduce((all, one) => all + one.acknowledged, 0);
}

/** Issues, rotates and revokes until the server is gone. */
async function changes(server: StartedServer, known: Map<string, Known>, random: () => number): Promise<void> {
  using admin = AdminHttp.of(server);
  const work = async (lane: number) => {
    for (let i = 0;; i++) {
      const user = `cut${lane}-${Math.floor(random() * 8)}`;
      const one = known.get(user) ?? { token: null, dead: [], isOpen: false, acknowledged: 0 };
      known.set(user, one);
      one.isOpen = true;
      try {
        await changeOne(admin, user, one, random);
      } catch {
        // The power is off: what was under way is known by the next start.
        return;
      }
      one.isOpen = false;
      one.acknowledged++;
    }
  };
  await Promise.all([0, 1, 2].map(work));
}

async function changeOne(admin: AdminHttp, user: string, one: Known, random: () => number): Promise<void> {
  if (one.token === null) {
    one.token = await admin.issue(user);
    return;
  }
  const former = one.token;
  if (random() < 0.5) one.token = await admin.rotate(user);
  else {
    await admin.revoke(user);
    one.token = null;
  }
  one.dead.push(former);
}

/** What was acknowledged is in force; what was under way is taken as the server has it. */
async function verify(server: StartedServer, known: Map<string, Known>): Promise<void> {
  using vault = VaultClient.of(server);
  using admin = AdminHttp.of(server);
  const { files } = await admin.expect<{ files: FileRow[] }>("GET", "/files");
  for (const { name, state, reason } of files) {
    must(state !== "refused" && state !== "failing", `the file of ${name} after a power cut: ${reason}`);
  }
  const lives = async (token: string) => {
    const { code, details } = await vault.manifest(token);
    must(code !== status.UNAVAILABLE && code !== status.INTERNAL, details);
    return code !== status.UNAUTHENTICATED;
  };
  for (const [user, one] of known) {
    for (const dead of one.dead.slice(-3)) must(!await lives(dead), `${user}: a dead token lives after a power cut`);
    const isAlive = one.token !== null && await lives(one.token);
    if (!one.isOpen) must(isAlive === (one.token !== null), `${user}: an acknowledged token is gone after a power cut`);
    if (!one.isOpen) continue;
    if (one.token !== null && !isAlive) one.dead.push(one.token);
    one.token = isAlive ? one.token : null;
    one.isOpen = false;
    // A token that was made and told to nobody ends here.
    if (!isAlive && (await admin.ask("DELETE", `/tokens/${user}`)).status === 200) one.acknowledged++;
  }
}

/** The trail is whole, and has an entry for everything that was acknowledged. */
async function verifyRecords(dataDir: string, known: ReadonlyMap<string, Known>): Promise<void> {
  const keys = [parseSeriesKey(await Deno.readTextFile(`${dataDir}/audit.k0`))];
  const { broken } = await verifyTrail(await trailFiles(`${dataDir}/audit.log`), { keys });
  must(broken === null, `the trail is broken after a power cut: ${JSON.stringify(broken)}`);
  const recorded = new Map<string, number>();
  for (const line of (await Deno.readTextFile(`${dataDir}/audit.log`)).trimEnd().split("\n")) {
    const { operation, decision, resource } = parseLine(line);
    if (decision !== "allowed" || !/^(POST|DELETE) \/tokens/.test(operation)) continue;
    const user = String(resource?.["user"]);
    recorded.set(user, 1 + (recorded.get(user) ?? 0));
  }
  for (const [user, { acknowledged }] of known) {
    const entries = recorded.get(user) ?? 0;
    must(entries >= acknowledged, `${user}: ${acknowledged} changes were acknowledged, ${entries} are recorded`);
  }
}
