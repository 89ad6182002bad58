/**
 * How the two files stand to the vault: what was written last, which text counts as ours, and what is wrong.
 *
 * @module
 */

import type { Clock, Logger, RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { FileRecord } from "../storage/records.ts";
import type { Store } from "../storage/store.ts";
import type { Writer } from "../writer.ts";
import type { FileName } from "./document.ts";

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

/** Both files, in the order in which they are read and written. */
export const FILE_NAMES: readonly FileName[] = ["roles", "tokens"];

const NEVER_WRITTEN: FileRecord = { generation: 0, digest: "", previousDigest: "", dirty: true };

interface Trouble {
  readonly state: "refused" | "failing";
  readonly reason: string;
}

/** Keeps what is known of each file, and tells the log what an operator must see. */
export class FileStandings {
  readonly #in: FileParts;
  readonly #trouble = new Map<FileName, Trouble>();
  #toldOff = false;

  constructor(parts: FileParts) {
    this.#in = parts;
  }

  /** What the store says of a file. */
  recordOf(name: FileName): FileRecord {
    return this.#in.state.files.get(name) ?? NEVER_WRITTEN;
  }

  /** Whether a text of this digest is one that the vault wrote, or took in. */
  isOurs(name: FileName, digest: string): boolean {
    const record = this.recordOf(name);
    return digest === record.digest || digest === record.previousDigest;
  }

  /** Whether an edit was not taken: the file is left alone until somebody decides. */
  isRefused(name: FileName): boolean {
    return this.#trouble.get(name)?.state === "refused";
  }

  /** Refuses an edit. */
  refuse(name: FileName, reason: string): void {
    this.#trouble.set(name, { state: "refused", reason });
    this.#in.logger.log("error", "file_edit_refused", {
      file: this.#in.paths[name],
      reason,
      hint: `see \`runevault file diff ${name}\`, then \`file take ${name}\` or \`file discard ${name}\``,
    });
  }

  /** A file could not be written. */
  fail(name: FileName, reason: string): void {
    this.#trouble.set(name, { state: "failing", reason });
    this.#in.logger.log("error", "file_write_failed", { file: this.#in.paths[name], reason });
  }

  /** Nothing is wrong with a file any more. */
  clear(name: FileName): void {
    this.#trouble.delete(name);
  }

  /** Whether a file isn't written for want of room, which the log is told once each time: a line a change would fill it. */
  tellIfOff(name: FileName): boolean {
    const isOff = this.#isOff(name);
    if (isOff && !this.#toldOff) {
      const hint = `give --yaml-max-users a larger number, or write it once by \`runevault file discard ${name}\``;
      this.#in.logger.log("warn", "file_off", { file: this.#in.paths[name], reason: this.#whyOff(), hint });
    }
    if (name === "tokens") this.#toldOff = isOff;
    return isOff;
  }

  /** How a file stands. */
  statusOf(name: FileName): FileStatus {
    const { generation, dirty } = this.recordOf(name);
    const path = this.#in.paths[name];
    const trouble = this.#trouble.get(name);
    if (trouble === undefined && this.#isOff(name)) {
      return { name, path, generation, state: "off", reason: this.#whyOff() };
    }
    const state = trouble?.state ?? (dirty ? "pending" : "written");
    return { name, path, generation, state, reason: trouble?.reason ?? null };
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
}

/** What a failure to read or write says of itself. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown failure";
}
