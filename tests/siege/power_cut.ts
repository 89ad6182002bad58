/**
 * Power cuts: whatever was not synced is gone. A library before the C library keeps each file as it was at its last sync,
 * under the names that the folder had at its own last one (`synced.c`); after a kill the vault starts on that.
 *
 * @module
 */

import { status } from "@grpc/grpc-js";
import { AdminHttp, sleep, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { type Attack, count, must } from "./attack.ts";

const SHORT_CUTS = 4;
const LONG_CUTS = 100;
const SOURCE = new URL("./synced.c", import.meta.url).pathname;

/** What is known of a user: the token that was acknowledged last, null after a revocation; and what is under way. */
interface Known {
  token: string | null;
  readonly dead: string[];
  isOpen: boolean;
}

/** Cuts the power under load, again and again on the same data. */
export const powerCuts: Attack = {
  name: "power cuts",
  hasTls: false,
  run: async ({ isLong, random, onProgress }) => {
    await using folder = await temporaryFolder();
    const library = await build(folder.path);
    const known = new Map<string, Known>();
    const cuts = isLong ? LONG_CUTS : SHORT_CUTS;
    let acknowledged = 0;
    await Deno.mkdir(`${folder.path}/0`, { mode: 0o700 });
    for (let cut = 0; cut < cuts; cut++) {
      acknowledged += await liveAndCut(folder.path, cut, library, known, random);
      if (cut % 10 === 9) onProgress(`${cut + 1} cuts, ${acknowledged} changes acknowledged`);
    }
    await using server = await StartedServer.start({ dataDir: `${folder.path}/${cuts}` });
    await verify(server, known);
    return `${cuts} cuts, each without what was not synced; ${count(acknowledged)} changes acknowledged, all there`;
  },
};

async function build(folder: string): Promise<string> {
  const library = `${folder}/synced.so`;
  const args = ["-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl", "-lpthread"];
  const { success, stderr } = await new Deno.Command("gcc", { args, stderr: "piped" }).output();
  must(success, `gcc: ${new TextDecoder().decode(stderr)} (apt install gcc libc6-dev)`);
  return library;
}

/** One life on `<folder>/<cut>`; what the cut leaves of it is `<folder>/<cut + 1>`. Returns the changes acknowledged. */
async function liveAndCut(
  folder: string,
  cut: number,
  library: string,
  known: Map<string, Known>,
  random: () => number,
): Promise<number> {
  const [dataDir, kept, next] = [`${folder}/${cut}`, `${folder}/kept`, `${folder}/${cut + 1}`];
  await keepAll(dataDir, kept);
  const env = { LD_PRELOAD: library, SYNCED_FOLDER: dataDir, SYNCED_KEPT: kept };
  let acknowledged = 0;
  {
    await using server = await StartedServer.start({ dataDir, env });
    await verify(server, known);
    const load = change(server, known, random, () => acknowledged++);
    await sleep(100 + random() * 600);
    await server.kill();
    await load;
  }
  await restore(kept, next);
  await Deno.remove(dataDir, { recursive: true });
  await Deno.remove(kept, { recursive: true });
  return acknowledged;
}

/** What a cut before left is on the disk. */
async function keepAll(dataDir: string, kept: string): Promise<void> {
  await Deno.mkdir(kept);
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(dataDir)) {
    if (!isFile) continue;
    const { ino } = await Deno.stat(`${dataDir}/${name}`);
    await Deno.copyFile(`${dataDir}/${name}`, `${kept}/file.${ino}`);
    names.push(`${ino} ${name}\n`);
  }
  await Deno.writeTextFile(`${kept}/names`, names.join(""));
}

/** A name whose file was never synced stands for an empty file. */
async function restore(kept: string, dataDir: string): Promise<void> {
  await Deno.mkdir(dataDir, { mode: 0o700 });
  for (const line of (await Deno.readTextFile(`${kept}/names`)).split("\n").filter((one) => one !== "")) {
    const [ino, name] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
    const bytes = await Deno.readFile(`${kept}/file.${ino}`).catch(() => new Uint8Array());
    // The index of the write-ahead log is rebuilt from it.
    if (!name.endsWith("-shm")) await Deno.writeFile(`${dataDir}/${name}`, bytes, { mode: 0o600 });
  }
}

/** Issues, rotates and revokes until the server is gone. */
async function change(
  server: StartedServer,
  known: Map<string, Known>,
  random: () => number,
  onAcknowledged: () => void,
): Promise<void> {
  using admin = AdminHttp.of(server);
  const work = async (lane: number) => {
    for (let i = 0;; i++) {
      const user = `cut${lane}-${Math.floor(random() * 8)}`;
      const one = known.get(user) ?? { token: null, dead: [], isOpen: false };
      known.set(user, one);
      one.isOpen = true;
      try {
        await changeOne(admin, user, one, random);
      } catch {
        // The power is off: what was under way is known by the next start.
        return;
      }
      one.isOpen = false;
      onAcknowledged();
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
    if (!isAlive) await admin.ask("DELETE", `/tokens/${user}`);
  }
}
