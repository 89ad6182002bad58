/**
 * Writes one of the files, and knows which changes made meanwhile are in its text.
 *
 * @module
 */

import type { Write } from "../storage/store.ts";
import { digestOf, prepareFile, snapshotOf } from "./disk.ts";
import type { FileName } from "./document.ts";
import { FILE_NAMES, type FileParts, type FileStandings } from "./file_standings.ts";
import { renderFile } from "./render.ts";

const EDITED_MEANWHILE = "it was edited, and the vault has changed since: see what differs";

/** Writes files, and marks what changes make of them. */
export class FileWriting {
  readonly #in: FileParts;
  readonly #standings: FileStandings;
  /** Files that are being written now: rows changed meanwhile belong to the generation after. */
  readonly #writing = new Set<FileName>();
  readonly #changedWhileWriting = new Set<FileName>();

  constructor(parts: FileParts, standings: FileStandings) {
    this.#in = parts;
    this.#standings = standings;
  }

  /** The bookkeeping of a change: which rows of which files it touches. */
  marksOf(writes: readonly Write[]): Write[] {
    const rows = this.#touchedRows(writes);
    const marks: Write[] = [];
    for (const name of FILE_NAMES) {
      const touched = rows.filter((row) => row.startsWith(`${name}/`));
      if (touched.length === 0) continue;
      const record = this.#standings.recordOf(name);
      const generation = record.generation + (this.#writing.has(name) ? 2 : 1);
      marks.push(...touched.map((key): Write => ({ kind: "file_change", key, value: { generation } })));
      if (this.#writing.has(name)) this.#changedWhileWriting.add(name);
      const settled = !record.dirty && !writes.some((write) => write.kind === "file" && write.key === name);
      if (settled) marks.push({ kind: "file", key: name, value: { ...record, dirty: true } });
    }
    return marks;
  }

  /** Whether there is something to write. An edit in a file that holds all changes waits for the next reload. */
  async isBehind(name: FileName): Promise<boolean> {
    const { digest, dirty } = this.#standings.recordOf(name);
    if (dirty) return true;
    const onDisk = await digestOf(this.#in.paths[name]);
    return onDisk === null || (onDisk !== digest && this.#standings.isOurs(name, onDisk));
  }

  /**
   * Writes one file: its text, then the digest into the store, then the rename. One that somebody edited is refused.
   *
   * @param overStranger Whether an edit is written over all the same.
   */
  async write(name: FileName, overStranger: boolean): Promise<void> {
    const path = this.#in.paths[name];
    const generation = await this.#beginWriting(name);
    try {
      const prepared = await prepareFile(path, renderFile(name, this.#in.state, generation));
      const onDisk = await snapshotOf(path);
      if (onDisk !== null && !overStranger && !this.#standings.isOurs(name, onDisk.digest)) {
        await prepared.discard();
        return this.#standings.refuse(name, EDITED_MEANWHILE);
      }
      await this.#commitDigest(name, generation, prepared.digest, onDisk?.digest ?? "");
      if (!await prepared.commit(onDisk)) return this.#standings.refuse(name, EDITED_MEANWHILE);
      this.#standings.clear(name);
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
      return { writes: [], result: () => this.#standings.recordOf(name).generation + 1 };
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
}
