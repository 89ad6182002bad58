/**
 * Lives of a server that end in a power cut. A library before the C library keeps each file as it was at its last sync,
 * under the names that the folder had at its own last one (`synced.c`); the next life is on that.
 *
 * @module
 */

import { StartedServer } from "../started_server.ts";
import { must } from "./attack.ts";

const SOURCE = new URL("./synced.c", import.meta.url).pathname;
/** They are rebuilt: SQLite's index of the write-ahead log, and our index of the trail. */
const REBUILT = /-shm$|^audit\.db/;
/** As good empty: what is not in force yet, a lock, a write-ahead log of which nothing was promised, this life's addresses. */
const MAY_BE_EMPTY = /\.new$|\.lock$|-wal$|^addresses\.json$/;

/** One data folder through all its lives. */
export class Power {
  readonly #folder: string;
  readonly #library: string;
  #cuts = 0;

  private constructor(folder: string, library: string) {
    this.#folder = folder;
    this.#library = library;
  }

  /** @param folder Where everything goes; it must be empty. */
  static async prepare(folder: string): Promise<Power> {
    const library = `${folder}/synced.so`;
    const args = ["-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl", "-lpthread"];
    const { success, stderr } = await new Deno.Command("gcc", { args, stderr: "piped" }).output();
    must(success, `gcc: ${new TextDecoder().decode(stderr)} (apt install gcc libc6-dev)`);
    await Deno.mkdir(`${folder}/0`, { mode: 0o700 });
    return new Power(folder, library);
  }

  /**
   * One life, which `use` ends by killing the server.
   *
   * @param blind How names of files begin whose syncs are lost, `.` for the folder's.
   */
  async live(blind: string | undefined, use: (server: StartedServer) => Promise<void>): Promise<void> {
    const [dataDir, kept] = [`${this.#folder}/${this.#cuts}`, `${this.#folder}/kept`];
    await keepAll(dataDir, kept);
    const watched = { LD_PRELOAD: this.#library, SYNCED_FOLDER: dataDir, SYNCED_KEPT: kept };
    const env = blind === undefined ? watched : { ...watched, SYNCED_BLIND: blind };
    {
      await using server = await StartedServer.start({ dataDir, env });
      await use(server);
    }
    await restore(kept, `${this.#folder}/${++this.#cuts}`);
    await Deno.remove(dataDir, { recursive: true });
    await Deno.remove(kept, { recursive: true });
  }

  /** The folder that the last cut left. */
  get last(): string {
    return `${this.#folder}/${this.#cuts}`;
  }
}

/** What a cut before left is on the disk. */
async function keepAll(dataDir: string, kept: string): Promise<void> {
  await Deno.mkdir(kept);
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(dataDir)) {
    if (!isFile) continue;
    const { ino, birthtime } = await Deno.stat(`${dataDir}/${name}`);
    const id = `${ino}-${birthtime?.getTime() ?? 0}`;
    await Deno.copyFile(`${dataDir}/${name}`, `${kept}/file.${id}`);
    names.push(`${id} ${name}\n`);
  }
  await Deno.writeTextFile(`${kept}/names`, names.join(""));
}

/** Throws where a name is in force whose file was never synced: it would stand for an empty one. */
async function restore(kept: string, dataDir: string): Promise<void> {
  await Deno.mkdir(dataDir, { mode: 0o700 });
  for (const line of (await Deno.readTextFile(`${kept}/names`)).split("\n").filter((one) => one !== "")) {
    const [id, name] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
    if (REBUILT.test(name)) continue;
    const bytes = await Deno.readFile(`${kept}/file.${id}`).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    });
    must(bytes !== null || MAY_BE_EMPTY.test(name), `${name} is in force, and was never synced`);
    await Deno.writeFile(`${dataDir}/${name}`, bytes ?? new Uint8Array(), { mode: 0o600 });
  }
}
