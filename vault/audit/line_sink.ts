/**
 * Where lines go: the file, and a second place beside it where one is wanted. It knows whether they take lines, makes the
 * file durable, moves the key on with it, and completes a file that could not be written for a while.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Logger } from "../ports.ts";
import type { AuditFile } from "./audit_file.ts";
import type { ChainPosition } from "./chain.ts";
import type { KeyFile } from "./key_file.ts";

/** A second place for the lines. It must not block, and drops what it has no room for. */
export interface Mirror {
  readonly name: string;
  /** Null where it takes lines, else why it doesn't. */
  trouble(): string | null;
  /** Whole lines, each with its line break. */
  send(lines: string): void;
  close(): Promise<void>;
}

/** Moves files away that are full or old. */
export interface Rotation {
  /** Whether the file was moved away, so that a new one is to be begun. */
  moveAway(file: AuditFile, position: ChainPosition): boolean;
  /** Waits for what it does beside. */
  close(): Promise<void>;
}

/** What lines are written with. */
export interface LineSinkParts {
  readonly file: AuditFile;
  readonly keyFile: Pick<KeyFile, "write" | "close">;
  readonly logger: Logger;
  readonly mirror?: Mirror | undefined;
  /** Asked when lines have become durable: the file may be moved away then. */
  readonly rotation?: Rotation | undefined;
}

/** What a file was lacking that can be written again. */
export interface Mended {
  readonly reason: string;
  readonly lines: number;
  /** Lines that only the second place has: there were too many to keep. */
  readonly lost: number;
}

/** A power cut may take 100 ms, and the disk needs its time too. */
const SYNC_DELAY_MS = 80;
/** So many syncs of the file go by before the key on disk is moved on: about a second. Each costs as much as a sync. */
const SYNCS_OF_A_KEY = 12;
const RETRY_MS = 1000;
/** Lines that are kept for a file that can't be written while the second place takes them. */
const MAX_BEHIND = 100_000;

/** Writes lines. */
export class LineSink {
  readonly #in: LineSinkParts;
  readonly #encoder = new TextEncoder();
  readonly #buffer = new Uint8Array(65_536);
  readonly #onMended: (mended: Mended) => void;
  #position: ChainPosition;
  #synced: number;
  readonly #listeners = new Set<(lines: readonly string[]) => void>();
  #behind: string[] = [];
  #lost = 0;
  #trouble: string | null = null;
  #syncTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #syncing: Promise<void> = Promise.resolve();
  #isClosed = false;
  #syncs = -1;

  /** @param onMended Called when a file that couldn't be written has all its lines again; it should write one more. */
  constructor(parts: LineSinkParts, position: ChainPosition, onMended: (mended: Mended) => void) {
    this.#in = parts;
    this.#position = position;
    this.#synced = position.sequence;
    this.#onMended = onMended;
  }

  /** The last line that stands. */
  get position(): ChainPosition {
    return this.#position;
  }

  /** Number of the last line that a power cut can't take from the file. */
  get synced(): number {
    return this.#synced;
  }

  /** Why the file can't be written; null: it can. */
  get trouble(): string | null {
    return this.#trouble;
  }

  get behind(): number {
    return this.#behind.length;
  }

  /** Tells `listener` of every line that stands from now on, until the returned function is called. */
  onLines(listener: (lines: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Whether the file or the second place takes lines. */
  get isWorking(): boolean {
    return this.#trouble === null || this.#mirrorWorks();
  }

  /** @throws {VaultError} `audit_unavailable` while nothing takes lines. */
  assertWorking(): void {
    if (!this.isWorking) throw unavailable(this.#trouble!);
  }

  /**
   * Writes lines, each with its line break.
   *
   * @throws {VaultError} `audit_unavailable` where nothing took them: then they were never written.
   */
  write(lines: readonly string[], position: ChainPosition): void {
    if (!this.#tryFile(lines) && !this.#mirrorWorks()) throw unavailable(this.#trouble!);
    this.#stand(lines, position);
  }

  /** Writes lines that stand already, as the store has them; the file gets them when it can. */
  complete(lines: readonly string[], position: ChainPosition): void {
    if (lines.length === 0) return;
    this.#tryFile(lines);
    this.#stand(lines, position);
  }

  /** Opens the file again, as whoever rotates logs has moved it away. */
  reopen(): void {
    if (this.#trouble !== null) return this.#retry();
    try {
      this.#in.file.reopen();
    } catch (error) {
      this.#breakDown(error);
    }
  }

  /** Makes everything durable and lets go of the files. Safe to repeat. */
  close(): Promise<void> {
    return this.#end(() => this.#sync());
  }

  /** Lets go of the files as they are. */
  abandon(): Promise<void> {
    return this.#end(() => Promise.resolve());
  }

  async #end(lastly: () => Promise<void>): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#syncTimer);
    clearTimeout(this.#retryTimer);
    await this.#syncing;
    await lastly();
    await this.#in.rotation?.close();
    this.#in.file.close();
    this.#in.keyFile.close();
    await this.#in.mirror?.close();
  }

  #mirrorWorks(): boolean {
    return this.#in.mirror !== undefined && this.#in.mirror.trouble() === null;
  }

  #stand(lines: readonly string[], position: ChainPosition): void {
    this.#position = position;
    if (this.#trouble !== null) this.#keepForLater(lines);
    this.#in.mirror?.send(lines.join(""));
    for (const listener of this.#listeners) listener(lines);
    this.#syncTimer ??= setTimeout(() => this.#syncing = this.#sync(), SYNC_DELAY_MS);
  }

  #keepForLater(lines: readonly string[]): void {
    this.#behind.push(...lines);
    if (this.#behind.length > MAX_BEHIND) this.#lost += this.#behind.splice(0, this.#behind.length - MAX_BEHIND).length;
  }

  #tryFile(lines: readonly string[]): boolean {
    if (this.#trouble !== null) return false;
    try {
      this.#in.file.append(this.#encoded(lines.length === 1 ? lines[0]! : lines.join("")));
      return true;
    } catch (error) {
      this.#breakDown(error);
      return false;
    }
  }

  /** In a buffer of its own: making one for each line costs more than filling it. */
  #encoded(text: string): Uint8Array {
    if (3 * text.length > this.#buffer.length) return this.#encoder.encode(text);
    return this.#buffer.subarray(0, this.#encoder.encodeInto(text, this.#buffer).written);
  }

  #breakDown(error: unknown): void {
    const reason = this.#trouble = error instanceof Error ? error.message : "unknown failure";
    this.#in.logger.log("error", "audit_file_failed", {
      path: this.#in.file.path,
      reason,
      hint: "make room, or mend the disk: until the file can be written, requests are refused",
    });
    if (!this.#isClosed) this.#retryTimer ??= setTimeout(() => this.#retry(), RETRY_MS);
  }

  /** Tries whether the file takes lines again, first those that it lacks; the line that says so proves that it does. */
  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    const mended = { reason: this.#trouble ?? "", lines: this.#behind.length, lost: this.#lost };
    this.#trouble = null;
    try {
      this.#in.file.reopen();
    } catch (error) {
      return this.#breakDown(error);
    }
    if (this.#behind.length > 0 && !this.#tryFile(this.#behind)) return;
    this.#behind = [];
    this.#lost = 0;
    this.#onMended(mended);
  }

  #rotate(): void {
    if (this.#isClosed || this.#trouble !== null) return;
    if (this.#in.rotation?.moveAway(this.#in.file, this.#position)) this.#in.file.reopen();
  }

  async #sync(): Promise<void> {
    const position = this.#position;
    try {
      await this.#in.file.sync();
      if (this.#trouble === null) this.#synced = position.sequence;
      if (this.#isClosed || ++this.#syncs % SYNCS_OF_A_KEY === 0) await this.#in.keyFile.write(position);
      this.#rotate();
    } catch (error) {
      this.#breakDown(error);
    }
    this.#syncTimer = undefined;
    // The key moves on with the last line as well: a trail that rests must not leave the key of what it wrote behind.
    const isBehind = this.#position.sequence > position.sequence || this.#syncs % SYNCS_OF_A_KEY !== 0;
    if (this.#isClosed || !isBehind) return;
    this.#syncTimer = setTimeout(() => this.#syncing = this.#sync(), SYNC_DELAY_MS);
  }
}

/** What requests are refused with. */
export function unavailable(reason: string): VaultError {
  return new VaultError("audit_unavailable", `Nothing can be recorded in the audit trail: ${reason}`, {
    hint: "make room on the disk of the audit file, or mend it; the vault goes on by itself then",
  });
}
