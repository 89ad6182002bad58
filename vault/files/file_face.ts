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
import type { Clock, Logger, RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { FileRecord } from "../storage/records.ts";
import type { Store, Write } from "../storage/store.ts";
import { firstUserMark } from "../tokens/token_service.ts";
import type { Writer } from "../writer.ts";
import { digestOf, prepareFile, snapshotOf } from "./disk.ts";
import type { Document, FileName } from "./document.ts";
import { type Edit, type FileDifference, planEdit } from "./edits.ts";
import { FileReader } from "./read_file.ts";
import { renderFile } from "./render.ts";
import { whyTooOld } from "./staleness.ts";

/** How a file stands to the vault. */
export interface FileStatus {
  readonly name: FileName;
  readonly path: string;
  readonly generation: number;
  /**
   * `refused`: an edit that wasn't taken, and the vault writes no more to the file; `failing`: it can't be written;
   * `off`: there are more users than it is written for.
   */
  readonly state: "written" | "pending" | "refused" | "failing" | "off";
  readonly reason: string | null;
}

/** What the face is made of. */
export interface FileParts {
  readonly store: Store;
  readonly state: VaultState;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly paths: Readonly<Record<FileName, string>>;
  /** With more current tokens than this `vault-tokens.yml` is not written. Absent: {@link YAML_MAX_USERS}. */
  readonly maxUsers?: number | undefined;
}

/**
 * Each change writes the whole file anew, some 230 bytes a user: 46 MB and half a second of one core for so many,
 * five times that for a million.
 */
export const YAML_MAX_USERS = 200_000;

const NAMES: readonly FileName[] = ["roles", "tokens"];
const NEVER_WRITTEN: FileRecord = { generation: 0, digest: "", previousDigest: "", dirty: true };

/** A change reaches the files within a second; waiting a little lets a burst share one write. */
const WRITE_DELAY_MS = 200;

const RETRY_DELAY_MS = 5000;
const EDITED_MEANWHILE = "it was edited, and the vault has changed since: see what differs";

interface Trouble {
  readonly state: "refused" | "failing";
  readonly reason: string;
}

type Documents = { roles?: Document<"roles">; tokens?: Document<"tokens"> };

/** Keeps the two files and the vault in step. */
export class FileFace {
  readonly #in: FileParts;
  readonly #reader = new FileReader();
  readonly #trouble = new Map<FileName, Trouble>();
  /** Files that are being written now: rows changed meanwhile belong to the generation after. */
  readonly #writing = new Set<FileName>();
  readonly #changedWhileWriting = new Set<FileName>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerDelayMs = 0;
  #work: Promise<void> = Promise.resolve();
  /** Nothing is written before the files were read: a start that takes its time would write over an edit, or refuse it. */
  #isRead = false;
  #closed = false;
  #toldOff = false;

  constructor(parts: FileParts) {
    this.#in = parts;
    parts.writer.addBookkeeping((writes) => this.#markChanged(writes));
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
      for (const name of NAMES) {
        await this.#orRefuse([name], atStart, async () => {
          Object.assign(documents, await this.#readEdited(name));
        });
      }
      await this.#orRefuse(Object.keys(documents) as FileName[], atStart, () => this.#takeIn(documents));
      this.#isRead = true;
      this.#schedule(0);
    });
  }

  /** How each file stands. */
  status(): FileStatus[] {
    return NAMES.map((name) => {
      const { generation, dirty } = this.#record(name);
      const path = this.#in.paths[name];
      const trouble = this.#trouble.get(name);
      if (trouble === undefined && this.#isOff(name)) {
        return { name, path, generation, state: "off", reason: this.#whyOff() };
      }
      const state = trouble?.state ?? (dirty ? "pending" : "written");
      return { name, path, generation, state, reason: trouble?.reason ?? null };
    });
  }

  /** What {@link take} would do; `config_invalid` for a file that can't be taken, `not_found` for none. */
  async diff(name: FileName): Promise<readonly FileDifference[]> {
    return this.#plan(await this.#read(name)).differences;
  }

  /** Applies a file to the present state whatever generation it is based on; a revoked token stays dead all the same. */
  take(name: FileName): Promise<readonly FileDifference[]> {
    return this.#inTurn(async () => {
      const differences = await this.#apply({ [name]: await this.#read(name) }, true);
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
        throw new VaultError("storage_failed", `${this.#in.paths[name]} can't be written: ${reasonOf(cause)}`, {
          cause,
        });
      }
    });
    return this.status().find((status) => status.name === name)!;
  }

  /** Writes what is behind, and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#inTurn(() => this.#writeAll());
    this.#reader.close();
  }

  /** Stops without writing anything more: for a vault that could not be opened. */
  async abandon(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#work;
    this.#reader.close();
  }

  /** Resolves when every change made so far is in the files, or can't be. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#inTurn(() => this.#writeAll());
  }

  // Reading

  async #readEdited(name: FileName): Promise<Documents> {
    this.#trouble.delete(name);
    const digest = await this.#digestOnDisk(name);
    if (digest === null || this.#isOurs(name, digest)) return {};
    return { [name]: await this.#reader.read(name, this.#in.paths[name]) };
  }

  /** Runs `work`; at start its failure stops the vault, later it is an edit refused. */
  async #orRefuse(names: readonly FileName[], atStart: boolean, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (atStart) throw error;
      this.#refuse(names, asVaultError(error).message);
    }
  }

  async #read(name: FileName): Promise<Document> {
    const path = this.#in.paths[name];
    if (await this.#digestOnDisk(name) === null) throw new VaultError("not_found", `There is no file ${path}`);
    return await this.#reader.read(name, path);
  }

  async #digestOnDisk(name: FileName): Promise<string | null> {
    const path = this.#in.paths[name];
    try {
      return await digestOf(path);
    } catch (cause) {
      throw new VaultError("config_invalid", `${path} can't be read: ${reasonOf(cause)}`, { cause });
    }
  }

  // Taking in

  async #takeIn(documents: Documents): Promise<void> {
    if (Object.keys(documents).length > 0) await this.#apply(documents, false);
  }

  /** Whether an edit is based on the newest text is asked in the writer's turn: no change can come in between. */
  async #apply(documents: Documents, anyGeneration: boolean): Promise<readonly FileDifference[]> {
    const outcome = await this.#in.writer.change(async () => {
      const refused = anyGeneration ? new Map<FileName, string>() : await this.#tooOld(documents);
      const taken = Object.fromEntries(Object.entries(documents).filter(([name]) => !refused.has(name as FileName)));
      const { writes, differences } = this.#plan(taken);
      const marks = (Object.values(taken) as Document[]).map((document) => this.#acceptedMark(document));
      const first = writes.some((write) => write.kind === "user") ? firstUserMark(this.#in.state, this.#in.clock) : [];
      return { writes: [...writes, ...first, ...marks], result: () => ({ refused, taken, differences }) };
    });
    for (const [name, reason] of outcome.refused) this.#refuse([name], reason);
    this.#report(outcome.taken, outcome.differences);
    return outcome.differences;
  }

  async #tooOld(documents: Documents): Promise<Map<FileName, string>> {
    const reasons = new Map<FileName, string>();
    for (const document of Object.values(documents) as Document[]) {
      const reason = await whyTooOld(document, this.#record(document.file), this.#in);
      if (reason !== null) reasons.set(document.file, reason);
    }
    return reasons;
  }

  #report(taken: Documents, differences: readonly FileDifference[]): void {
    for (const { file, path, warnings } of Object.values(taken) as Document[]) {
      this.#trouble.delete(file);
      for (const warning of warnings) this.#in.logger.log("warn", "file_read", { file: path, warning });
    }
    for (const { row, change, detail } of differences) {
      this.#in.logger.log("info", "file_edit_applied", { row, change, detail });
    }
  }

  #plan(documents: Documents | Document): Edit {
    const edited = "file" in documents ? { [documents.file]: documents } : documents;
    return planEdit(edited, this.#in);
  }

  /** The edited text counts as ours from the commit that takes it in, or a crash would leave it a stranger. */
  #acceptedMark({ file, digest }: Document): Write {
    const { generation, digest: previousDigest } = this.#record(file);
    return { kind: "file", key: file, value: { generation, digest, previousDigest, dirty: true } };
  }

  #refuse(names: readonly FileName[], reason: string): void {
    for (const name of names) {
      this.#trouble.set(name, { state: "refused", reason });
      this.#in.logger.log("error", "file_edit_refused", {
        file: this.#in.paths[name],
        reason,
        hint: `see \`runevault file diff ${name}\`, then \`file take ${name}\` or \`file discard ${name}\``,
      });
    }
  }

  // Writing

  /** The bookkeeping of a change: which rows of which files it touches. */
  #markChanged(writes: readonly Write[]): Write[] {
    const rows = this.#touchedRows(writes);
    const marks: Write[] = [];
    for (const name of NAMES) {
      const touched = rows.filter((row) => row.startsWith(`${name}/`));
      if (touched.length === 0) continue;
      const record = this.#record(name);
      const generation = record.generation + (this.#writing.has(name) ? 2 : 1);
      marks.push(...touched.map((key): Write => ({ kind: "file_change", key, value: { generation } })));
      if (this.#writing.has(name)) this.#changedWhileWriting.add(name);
      const settled = !record.dirty && !writes.some((write) => write.kind === "file" && write.key === name);
      if (settled) marks.push({ kind: "file", key: name, value: { ...record, dirty: true } });
    }
    if (marks.length > 0) this.#schedule(WRITE_DELAY_MS);
    return marks;
  }

  #touchedRows(writes: readonly Write[]): string[] {
    const newUsers = new Map<string, string>();
    const rows = new Set<string>();
    for (const write of writes) {
      if (write.kind === "user" && write.value) newUsers.set(write.key, write.value.name);
      else if (write.kind === "role") rows.add(`roles/${write.key}`);
      else if (write.kind === "user_token" && write.value) {
        const { entityId } = write.value;
        rows.add(`tokens/${newUsers.get(entityId) ?? this.#in.state.users.get(entityId)?.record.name}`);
      }
    }
    return [...rows];
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
    for (const name of NAMES) {
      if (this.#tellIfOff(name)) continue;
      if (this.#trouble.get(name)?.state !== "refused") await this.#writeOrComplain(name);
    }
  }

  /** Once for each time that it goes off: a line a change would fill the log. */
  #tellIfOff(name: FileName): boolean {
    const isOff = this.#isOff(name);
    if (isOff && !this.#toldOff) {
      const hint = `give --yaml-max-users a larger number, or write it once by \`runevault file discard ${name}\``;
      this.#in.logger.log("warn", "file_off", { file: this.#in.paths[name], reason: this.#whyOff(), hint });
    }
    if (name === "tokens") this.#toldOff = isOff;
    return isOff;
  }

  #isOff(name: FileName): boolean {
    return name === "tokens" && this.#in.state.liveTokenCount > this.#maxUsers;
  }

  #whyOff(): string {
    return `it is not written for more than ${this.#maxUsers} users; the database holds all`;
  }

  get #maxUsers(): number {
    return this.#in.maxUsers ?? YAML_MAX_USERS;
  }

  async #writeOrComplain(name: FileName): Promise<void> {
    try {
      if (await this.#isBehind(name)) await this.#write(name, false);
    } catch (error) {
      const reason = reasonOf(error);
      this.#trouble.set(name, { state: "failing", reason });
      this.#in.logger.log("error", "file_write_failed", { file: this.#in.paths[name], reason });
      this.#schedule(RETRY_DELAY_MS);
    }
  }

  /** Writes one file: its text, then the digest into the store, then the rename. */
  async #write(name: FileName, overStranger: boolean): Promise<void> {
    const path = this.#in.paths[name];
    const generation = await this.#beginWriting(name);
    try {
      const prepared = await prepareFile(path, renderFile(name, this.#in.state, generation));
      const onDisk = await snapshotOf(path);
      if (onDisk !== null && !overStranger && !this.#isOurs(name, onDisk.digest)) {
        await prepared.discard();
        return this.#refuse([name], EDITED_MEANWHILE);
      }
      await this.#commitDigest(name, generation, prepared.digest, onDisk?.digest ?? "");
      if (!await prepared.commit(onDisk)) return this.#refuse([name], EDITED_MEANWHILE);
      this.#trouble.delete(name);
      if (this.#record(name).dirty) this.#schedule(WRITE_DELAY_MS);
    } finally {
      this.#writing.delete(name);
    }
  }

  /**
   * In the writer's turn, when no change is under way: each one is either in memory already, and so in the text, or
   * will find that the file is being written. One that was neither would be missing from a file that counts as current.
   */
  #beginWriting(name: FileName): Promise<number> {
    return this.#in.writer.change(() => {
      this.#writing.add(name);
      this.#changedWhileWriting.delete(name);
      return { writes: [], result: () => this.#record(name).generation + 1 };
    });
  }

  #commitDigest(name: FileName, generation: number, digest: string, previousDigest: string): Promise<void> {
    return this.#in.writer.change(() => {
      // From here on, inside the writer's turn, a change belongs to the next generation again.
      this.#writing.delete(name);
      const dirty = this.#changedWhileWriting.delete(name);
      const value = { generation, digest, previousDigest, dirty };
      return { writes: [{ kind: "file", key: name, value }], result: () => {} };
    });
  }

  /** Whether there is something to write. An edit in a file that holds all changes waits for the next reload. */
  async #isBehind(name: FileName): Promise<boolean> {
    const { digest, dirty } = this.#record(name);
    if (dirty) return true;
    const onDisk = await digestOf(this.#in.paths[name]);
    return onDisk === null || (onDisk !== digest && this.#isOurs(name, onDisk));
  }

  #isOurs(name: FileName, digest: string): boolean {
    const record = this.#record(name);
    return digest === record.digest || digest === record.previousDigest;
  }

  #record(name: FileName): FileRecord {
    return this.#in.state.files.get(name) ?? NEVER_WRITTEN;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#work.then(work);
    this.#work = mine.then(() => {}, () => {});
    return mine;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown failure";
}
