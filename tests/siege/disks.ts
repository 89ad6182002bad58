/**
 * Disks that fail: full at every single write, read-only, with flipped bits; two starts at once; a folder from tomorrow.
 *
 * @module
 */

import { status } from "@grpc/grpc-js";
import { AdminHttp, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { type Attack, count, must } from "./attack.ts";

const CONFIGURATION = 78;

/** A folder that a vault has used: tokens of users, one of them dead, and what they must do after every start. */
class UsedFolder implements AsyncDisposable {
  readonly path: string;
  readonly #dispose: () => Promise<void>;
  readonly #alive = new Map<string, string>();
  #dead = "";

  private constructor(path: string, dispose: () => Promise<void>) {
    this.path = path;
    this.#dispose = dispose;
  }

  static async make(users = 20): Promise<UsedFolder> {
    const folder = await temporaryFolder();
    const used = new UsedFolder(folder.path, async () => await folder[Symbol.asyncDispose]());
    await using server = await StartedServer.start({ dataDir: folder.path });
    using admin = AdminHttp.of(server);
    await admin.createRole("used", ["get_public_key"], "1000000/1s");
    for (let i = 0; i < users; i++) used.#alive.set(`user${i}`, await admin.issue(`user${i}`, "used"));
    used.#dead = await admin.issue("dead", "used");
    await admin.revoke("dead");
    return used;
  }

  /** Throws unless a server on it knows everything. */
  async verify(server: StartedServer): Promise<void> {
    using vault = VaultClient.of(server);
    for (const [user, token] of this.#alive) {
      const { code } = await vault.manifest(token);
      must(code === status.OK, `${user}'s token: ${status[code]}`);
    }
    const { code } = await vault.manifest(this.#dead);
    must(code === status.UNAUTHENTICATED, `the dead token: ${status[code]}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dispose();
  }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdout: "null", stderr: "piped" }).output();
  must(success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

const SHORT_FLIPS = 6;
const LONG_FLIPS = 150;

/** Bits of the database, one at a time: a clear refusal that names the file and the remedy, or nothing is amiss. */
export const flippedBits: Attack = {
  name: "flipped bits",
  hasTls: false,
  run: async ({ isLong, random, onProgress }) => {
    await using used = await UsedFolder.make();
    const path = `${used.path}/runevault.db`;
    const whole = await Deno.readFile(path);
    const [flips, ends] = [isLong ? LONG_FLIPS : SHORT_FLIPS, { refused: 0, served: 0 }];
    for (let flip = 1; flip <= flips; flip++) {
      const bytes = whole.slice();
      const at = Math.floor(random() * bytes.length);
      const bit = Math.floor(random() * 8);
      bytes[at] = bytes[at]! ^ (1 << bit);
      await put(path, bytes);
      const isRefused = await startOn(used, path).catch((error) => {
        throw new Error(`bit ${bit} of byte ${at} of ${bytes.length}`, { cause: error });
      });
      isRefused ? ends.refused++ : ends.served++;
      if (flip % 50 === 0) onProgress(`${flip} flips`);
    }
    await put(path, whole);
    must(!await startOn(used, path), "the whole file is served");
    return `${flips} flips of ${count(whole.length)} bytes: ${ends.refused} refused by name with a remedy, ` +
      `${ends.served} in places that hold nothing, served with everything there`;
  },
};

async function put(path: string, bytes: Uint8Array): Promise<void> {
  for (const more of ["-wal", "-shm"]) await Deno.remove(path + more).catch(() => {});
  await Deno.writeFile(path, bytes, { mode: 0o600 });
}

/** Whether a start was refused, as it should be; one that serves must know everything. */
async function startOn(used: UsedFolder, path: string): Promise<boolean> {
  let server: StartedServer;
  try {
    server = await StartedServer.start({ dataDir: used.path, args: ["--accept-rollback"] });
  } catch (error) {
    const said = (error as Error).message;
    must(said.includes(path) && /hint: /.test(said), `refused without file or remedy: ${said}`);
    return true;
  }
  await used.verify(server).finally(() => server.kill());
  return false;
}

/** How a change is refused: the store, or the audit trail that must be written before it, has no room. */
const FULL = new Set(["storage_failed", "audit_unavailable"]);

/** How much the file system holds: from not even a start to a few changes. */
const SIZES_KB = { from: 100, step: 50, short: 4, long: 30 };

/** A small file system whose size grows in steps, so that each write in turn is the one that fails. */
export const fullDisks: Attack = {
  name: "full disks",
  hasTls: false,
  run: async ({ isLong }) => {
    let [refusedStarts, refusedChanges, kept] = [0, 0, 0];
    const sizes = isLong ? SIZES_KB.long : SIZES_KB.short;
    const step = SIZES_KB.step * (isLong ? 1 : SIZES_KB.long / SIZES_KB.short);
    for (let i = 0; i < sizes; i++) {
      const tokens = await fillOnce(Math.round(SIZES_KB.from + i * step));
      if (tokens === null) refusedStarts++;
      else [refusedChanges, kept] = [refusedChanges + 1, kept + tokens];
    }
    return `${sizes} disks, full at another write each: ${refusedStarts} starts refused with the reason, on ` +
      `${refusedChanges} a change was refused as a whole; ${
        count(kept)
      } acknowledged tokens are there after a start with room`;
  },
};

/** Fills one; null where not even a start had room, else how many tokens were acknowledged before it was full. */
async function fillOnce(kilobytes: number): Promise<number | null> {
  await using folder = await temporaryFolder();
  await run("mount", "-t", "tmpfs", "-o", `size=${kilobytes}k,mode=700`, "tmpfs", folder.path);
  try {
    const filled = await issueUntilFull(folder.path);
    await run("mount", "-o", "remount,size=64m", folder.path);
    await using server = await StartedServer.start({ dataDir: folder.path });
    if (filled !== null) await verifyFilled(server, filled, kilobytes);
    return filled === null ? null : filled.acknowledged.size;
  } finally {
    await run("umount", folder.path);
  }
}

interface Filled {
  readonly acknowledged: ReadonlyMap<string, string>;
  /** Whose change was refused; null where the disk was never full. */
  readonly refused: string | null;
}

async function verifyFilled(server: StartedServer, filled: Filled, kilobytes: number): Promise<void> {
  using vault = VaultClient.of(server);
  using admin = AdminHttp.of(server);
  for (const [user, token] of filled.acknowledged) {
    const { code } = await vault.manifest(token);
    must(code === status.OK, `${user} of a disk of ${kilobytes} KB: ${status[code]}`);
  }
  const { status: shown } = await admin.ask("GET", `/users/${filled.refused ?? "nobody"}`);
  must(shown === 404, `${filled.refused} of a disk of ${kilobytes} KB is half there: ${shown}`);
}

async function issueUntilFull(dataDir: string): Promise<Filled | null> {
  let server: StartedServer;
  try {
    server = await StartedServer.start({ dataDir });
  } catch (error) {
    const said = (error as Error).message;
    must(/full|space|I\/O/i.test(said), `a start on a full disk says: ${said}`);
    return null;
  }
  const acknowledged = new Map<string, string>();
  try {
    using admin = AdminHttp.of(server);
    while (acknowledged.size < 500) {
      const user = `user${acknowledged.size}`;
      const answered = await admin.ask<{ token: string; kind?: string }>("POST", "/tokens", { user, role: "member" });
      if (answered.status === 201) {
        acknowledged.set(user, answered.body.token);
        continue;
      }
      must(FULL.has(answered.body.kind ?? ""), `a change on a full disk: ${JSON.stringify(answered)}`);
      return { acknowledged, refused: user };
    }
    return { acknowledged, refused: null };
  } finally {
    await server.kill();
  }
}

/** A read-only disk, two starts at once, and a folder that a later version wrote. */
export const wrongFolders: Attack = {
  name: "wrong folders",
  hasTls: false,
  run: async ({ isLong }) => {
    await using used = await UsedFolder.make(3);
    await refusedReadOnly(used);
    const rounds = isLong ? 20 : 2;
    for (let round = 0; round < rounds; round++) await startTwice(used);
    await refusedNewer(used);
    await using server = await StartedServer.start({ dataDir: used.path });
    await used.verify(server);
    return `a read-only disk and a store of a later version are refused and left as they are; of two at once, ${rounds} ` +
      "times, exactly one serves";
  },
};

async function refusedReadOnly(used: UsedFolder): Promise<void> {
  await run("mount", "--bind", used.path, used.path);
  try {
    await run("mount", "-o", "remount,bind,ro", used.path);
    const { code, log } = await StartedServer.refused({ dataDir: used.path });
    must(
      code !== 0 && /read-only|readonly|EROFS/i.test(log) && log.includes(used.path),
      `on a read-only disk: ${code} ${log}`,
    );
  } finally {
    await run("umount", used.path);
  }
}

async function startTwice(used: UsedFolder): Promise<void> {
  const starts = await Promise.allSettled([0, 1].map(() => StartedServer.start({ dataDir: used.path })));
  const serving = starts.flatMap((start) => start.status === "fulfilled" ? [start.value] : []);
  for (const server of serving) await used.verify(server);
  for (const server of serving) await server.stop();
  must(serving.length === 1, `${serving.length} of two starts serve`);
  const refused = starts.find((start) => start.status === "rejected") as PromiseRejectedResult;
  must(/Another runevault uses the data folder/.test(String(refused.reason)), String(refused.reason));
}

async function refusedNewer(used: UsedFolder): Promise<void> {
  const path = `${used.path}/runevault.db`;
  const whole = await Deno.readFile(path);
  const newer = whole.slice();
  newer.set([0, 0, 0, 99], 60);
  await put(path, newer);
  const { code, log } = await StartedServer.refused({ dataDir: used.path });
  must(code === CONFIGURATION && log.includes(path) && /newer/.test(log), `a later version's store: ${code} ${log}`);
  must(Deno.readFileSync(path).every((byte, at) => byte === newer[at]), "the later version's store was changed");
  await put(path, whole);
}
