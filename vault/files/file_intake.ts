/**
 * Takes edited files in: reads them, asks what they are based on, and commits what they change.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Write } from "../storage/store.ts";
import { firstUserMark } from "../tokens/token_service.ts";
import { digestOf } from "./disk.ts";
import type { Document, FileName } from "./document.ts";
import { type Edit, type FileDifference, planEdit } from "./edits.ts";
import { type FileParts, type FileStandings, reasonOf } from "./file_standings.ts";
import { FileReader } from "./read_file.ts";
import { whyTooOld } from "./staleness.ts";

/** What was read of the files that were edited. */
export type Documents = { roles?: Document<"roles">; tokens?: Document<"tokens"> };

/** Reads files and applies them. */
export class FileIntake {
  readonly #in: FileParts;
  readonly #standings: FileStandings;
  readonly #reader = new FileReader();

  constructor(parts: FileParts, standings: FileStandings) {
    this.#in = parts;
    this.#standings = standings;
  }

  /** Reads a file if it was edited. */
  async readEdited(name: FileName): Promise<Documents> {
    this.#standings.clear(name);
    const digest = await this.#digestOnDisk(name);
    if (digest === null || this.#standings.isOurs(name, digest)) return {};
    return { [name]: await this.#reader.read(name, this.#in.paths[name]) };
  }

  /** Reads a file, edited or not; `config_invalid` for one that can't be taken, `not_found` for none. */
  async read(name: FileName): Promise<Document> {
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

  /** What taking documents in would do to the present state. */
  plan(documents: Documents | Document): Edit {
    const edited = "file" in documents ? { [documents.file]: documents } : documents;
    return planEdit(edited, this.#in);
  }

  /**
   * Takes documents in, or refuses them as edits.
   *
   * Whether an edit is based on the newest text is asked in the writer's turn: no change can come in between.
   *
   * @param anyGeneration Whatever generation they are based on.
   */
  async apply(documents: Documents, anyGeneration: boolean): Promise<readonly FileDifference[]> {
    const outcome = await this.#in.writer.change(async () => {
      const refused = anyGeneration ? new Map<FileName, string>() : await this.#tooOld(documents);
      const taken = Object.fromEntries(Object.entries(documents).filter(([name]) => !refused.has(name as FileName)));
      const { writes, differences } = this.plan(taken);
      const marks = (Object.values(taken) as Document[]).map((document) => this.#acceptedMark(document));
      const first = writes.some((write) => write.kind === "user") ? firstUserMark(this.#in.state, this.#in.clock) : [];
      return { writes: [...writes, ...first, ...marks], result: () => ({ refused, taken, differences }) };
    });
    for (const [name, reason] of outcome.refused) this.#standings.refuse(name, reason);
    this.#report(outcome.taken, outcome.differences);
    return outcome.differences;
  }

  async #tooOld(documents: Documents): Promise<Map<FileName, string>> {
    const reasons = new Map<FileName, string>();
    for (const document of Object.values(documents) as Document[]) {
      const reason = await whyTooOld(document, this.#standings.recordOf(document.file), this.#in);
      if (reason !== null) reasons.set(document.file, reason);
    }
    return reasons;
  }

  #report(taken: Documents, differences: readonly FileDifference[]): void {
    for (const { file, path, warnings } of Object.values(taken) as Document[]) {
      this.#standings.clear(file);
      for (const warning of warnings) this.#in.logger.log("warn", "file_read", { file: path, warning });
    }
    for (const { row, change, detail } of differences) {
      this.#in.logger.log("info", "file_edit_applied", { row, change, detail });
    }
  }

  /** The edited text counts as ours from the commit that takes it in, or a crash would leave it a stranger. */
  #acceptedMark({ file, digest }: Document): Write {
    const { generation, digest: previousDigest } = this.#standings.recordOf(file);
    return { kind: "file", key: file, value: { generation, digest, previousDigest, dirty: true } };
  }

  /** Ends the thread that reads. */
  close(): void {
    this.#reader.close();
  }
}
