/**
 * The mark of an import under way: `<data>/.importing`, which names what was in the folder before.
 *
 * An import that is killed leaves files that a start would take in, without the team secret that goes with them: users
 * would be let in whose envelopes open no more. So nothing but the next import touches such a folder, and that one begins
 * by taking away what this one left.
 *
 * @module
 */

import { VaultError } from "../vault/mod.ts";
import { syncFolder } from "../vault/storage/private_files.ts";
import { removeTree } from "./backup/staging.ts";

const NAME = ".importing";

/** An import that this process makes. */
export class ImportMark {
  readonly #dataDir: string;
  readonly #file: Deno.FsFile;
  readonly #before: readonly string[];

  private constructor(dataDir: string, file: Deno.FsFile, before: readonly string[]) {
    this.#dataDir = dataDir;
    this.#file = file;
    this.#before = before;
  }

  /**
   * Marks a folder, and removes what an import that was killed left in it.
   *
   * @throws {VaultError} `precondition_failed` while another process imports into it.
   */
  static async take(dataDir: string): Promise<ImportMark> {
    const path = `${dataDir}/${NAME}`;
    const names = (await Array.fromAsync(Deno.readDir(dataDir))).map(({ name }) => name);
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    if (!file.tryLockSync(true)) {
      file.close();
      throw new VaultError("precondition_failed", `Another import into ${dataDir} is under way`, {
        hint: "wait until it is done",
      });
    }
    const mark = new ImportMark(dataDir, file, namesBefore(await Deno.readTextFile(path)) ?? names);
    if (names.includes(NAME)) await mark.#removeNew();
    await mark.#write();
    return mark;
  }

  /** The import is there as a whole. */
  async done(): Promise<void> {
    await Deno.remove(`${this.#dataDir}/${NAME}`);
    await syncFolder(this.#dataDir);
    this.#file.close();
  }

  /** Removes all that was not there before, the mark last. */
  async undo(): Promise<void> {
    await this.#removeNew();
    await this.done();
  }

  async #removeNew(): Promise<void> {
    for (const { name } of await Array.fromAsync(Deno.readDir(this.#dataDir))) {
      if (name !== NAME && !this.#before.includes(name)) await removeTree(`${this.#dataDir}/${name}`);
    }
  }

  async #write(): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(this.#before));
    await this.#file.truncate();
    await this.#file.seek(0, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
    await this.#file.sync();
    await syncFolder(this.#dataDir);
  }
}

/** Undefined for a mark whose writing was cut off: nothing had been placed yet. */
function namesBefore(text: string): string[] | undefined {
  try {
    return (JSON.parse(text) as string[]).filter((name) => name !== NAME);
  } catch {
    return undefined;
  }
}

/** Whether an import was begun in a folder and not finished; what hinders the look is told by whoever takes it next. */
export function isImportMarked(dataDir: string): Promise<boolean> {
  return Deno.lstat(`${dataDir}/${NAME}`).then(() => true, () => false);
}

/** Throws `config_invalid` for a folder in which an import was interrupted. */
export async function assertImportFinished(dataDir: string): Promise<void> {
  if (!await isImportMarked(dataDir)) return;
  throw new VaultError("config_invalid", `An import into ${dataDir} was interrupted, or is under way`, {
    hint: "run the same `runevault import` again: it begins anew",
  });
}
