/**
 * `vault-roles.yml` and `vault-tokens.yml`: written after each change, and read when somebody edited them.
 *
 * The database is the truth. A file counts as ours while its digest is that of the text last written, or of the one
 * before (a crash between the commit of a digest and the rename leaves that one). Anything else is an edit: it is taken
 * in as a whole or refused as a whole, and while it is refused the file is left alone, so that nothing is lost.
 *
 * @module
 */

import { inBackground } from "../audit/request.ts";
import { asVaultError, VaultError } from "../errors.ts";
import type { FileName } from "./document.ts";
import type { FileDifference } from "./edits.ts";
import { type Documents, FileIntake } from "./file_intake.ts";
import { FILE_NAMES, type FileParts, FileStandings, type FileStatus, reasonOf } from "./file_standings.ts";
import { FileWriting } from "./file_writing.ts";

/** A change reaches the files within a second; waiting a little lets a burst share one write. */
const WRITE_DELAY_MS = 200;

const RETRY_DELAY_MS = 5000;

/** Keeps the two files and the vault in step. */
export class FileFace {
  readonly #paths: FileParts["paths"];
  readonly #standings: FileStandings;
  readonly #writing: FileWriting;
  readonly #intake: FileIntake;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerDelayMs = 0;
  #work: Promise<void> = Promise.resolve();
  /** Nothing is written before the files were read: a start that takes its time would write over an edit, or refuse it. */
  #isRead = false;
  #closed = false;

  constructor(parts: FileParts) {
    this.#paths = parts.paths;
    this.#standings = new FileStandings(parts);
    this.#writing = new FileWriting(parts, this.#standings);
    this.#intake = new FileIntake(parts, this.#standings);
    parts.writer.addBookkeeping((writes) => {
      const marks = this.#writing.marksOf(writes);
      if (marks.length > 0) this.#schedule(WRITE_DELAY_MS);
      return marks;
    });
  }

  /**
   * Takes in edited files, at start and on SIGHUP, then writes what is behind.
   *
   * @param atStart Whether an invalid file may stop the vault.
   * @throws {VaultError} `config_invalid` at start, naming path, line and key; nothing was changed.
   */
  reload(atStart: boolean): Promise<void> {
    return inBackground("apply_file_edits", () => this.#reload(atStart));
  }

  #reload(atStart: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const documents: Documents = {};
      for (const name of FILE_NAMES) {
        await this.#orRefuse([name], atStart, async () => {
          Object.assign(documents, await this.#intake.readEdited(name));
        });
      }
      await this.#orRefuse(Object.keys(documents) as FileName[], atStart, () => this.#takeIn(documents));
      this.#isRead = true;
      this.#schedule(0);
    });
  }

  /** How each file stands. */
  status(): FileStatus[] {
    return FILE_NAMES.map((name) => this.#standings.statusOf(name));
  }

  /** What {@link take} would do; `config_invalid` for a file that can't be taken, `not_found` for none. */
  async diff(name: FileName): Promise<readonly FileDifference[]> {
    return this.#intake.plan(await this.#intake.read(name)).differences;
  }

  /** Applies a file to the present state whatever generation it is based on; a revoked token stays dead all the same. */
  take(name: FileName): Promise<readonly FileDifference[]> {
    return this.#inTurn(async () => {
      const differences = await this.#intake.apply({ [name]: await this.#intake.read(name) }, true);
      this.#schedule(0);
      return differences;
    });
  }

  /**
   * Writes the vault's own state over a file, edited or not.
   *
   * @throws {VaultError} `storage_failed` when the file can't be written.
   */
  async discard(name: FileName): Promise<FileStatus> {
    await this.#inTurn(async () => {
      try {
        await this.#write(name, true);
      } catch (cause) {
        if (cause instanceof VaultError) throw cause;
        throw new VaultError("storage_failed", `${this.#paths[name]} can't be written: ${reasonOf(cause)}`, {
          cause,
        });
      }
    });
    return this.#standings.statusOf(name);
  }

  /** Writes what is behind, and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#inTurn(() => this.#writeAll());
    this.#intake.close();
  }

  /** Stops without writing anything more: for a vault that could not be opened. */
  async abandon(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#work;
    this.#intake.close();
  }

  /** Resolves when every change made so far is in the files, or can't be. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#inTurn(() => this.#writeAll());
  }

  /** Runs `work`; at start its failure stops the vault, later it is an edit refused. */
  async #orRefuse(names: readonly FileName[], atStart: boolean, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (atStart) throw error;
      for (const name of names) this.#standings.refuse(name, asVaultError(error).message);
    }
  }

  async #takeIn(documents: Documents): Promise<void> {
    if (Object.keys(documents).length > 0) await this.#intake.apply(documents, false);
  }

  #schedule(delayMs: number): void {
    if (!this.#isRead || this.#closed || (this.#timer !== undefined && this.#timerDelayMs <= delayMs)) return;
    clearTimeout(this.#timer);
    this.#timerDelayMs = delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#inTurn(() => this.#writeAll());
    }, delayMs);
  }

  async #writeAll(): Promise<void> {
    for (const name of FILE_NAMES) {
      if (this.#standings.tellIfOff(name)) continue;
      if (!this.#standings.isRefused(name)) await this.#writeOrComplain(name);
    }
  }

  async #writeOrComplain(name: FileName): Promise<void> {
    try {
      if (await this.#writing.isBehind(name)) await this.#write(name, false);
    } catch (error) {
      this.#standings.fail(name, reasonOf(error));
      this.#schedule(RETRY_DELAY_MS);
    }
  }

  /** What changed while a file was written goes into its next text. */
  async #write(name: FileName, overStranger: boolean): Promise<void> {
    await this.#writing.write(name, overStranger);
    if (!this.#standings.isRefused(name) && this.#standings.recordOf(name).dirty) this.#schedule(WRITE_DELAY_MS);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#work.then(work);
    this.#work = mine.then(() => {}, () => {});
    return mine;
  }
}
