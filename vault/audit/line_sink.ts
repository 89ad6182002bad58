/**
 * Where lines go: the file, and a second place beside it where one is wanted. It knows whether they take lines, makes the
 * file durable, moves the key on with it, and completes a file that could not be written for a while.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Chain, ChainEnd, ChainPosition } from "./chain.ts";
import { FileSync, type Written } from "./file_sync.ts";
import type { LineSinkParts, Mended } from "./sink_parts.ts";
import { VolatileLines } from "./volatile_lines.ts";

const RETRY_MS = 1000;
/** Lines that are kept for a file that can't be written while the second place takes them. */
const MAX_BEHIND = 100_000;

/** Writes lines. */
export class LineSink {
  readonly #in: LineSinkParts;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(65_536);
  readonly #onMended: (mended: Mended) => void;
  readonly #chain: Chain;
  #synced: number;
  readonly #listeners = new Set<(lines: readonly string[]) => void>();
  #behind: string[] = [];
  #lost = 0;
  #trouble: string | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #sync: FileSync;
  #isClosed = false;
  /** What was written with {@link write} and isn't durable. */
  readonly volatile: VolatileLines = new VolatileLines();

  /** @param onMended Called when a file that couldn't be written has all its lines again; it should write one more. */
  constructor(parts: LineSinkParts, onMended: (mended: Mended) => void) {
    this.#in = parts;
    this.#chain = parts.chain;
    this.#synced = parts.chain.standing;
    this.#onMended = onMended;
    this.#sync = new FileSync(parts, this);
  }

  /** The last line that stands. */
  get end(): ChainEnd {
    return this.#chain.standingEnd;
  }

  get written(): Written {
    return { sequence: this.#chain.standing, volatileEnd: this.volatile.end };
  }

  copyPosition(): ChainPosition {
    return this.#chain.copyPosition();
  }

  /** Number of the last line that a power cut can't take from the file. */
  get synced(): number {
    return this.#synced;
  }

  /** Why the file can't be written; null: it can. */
  get trouble(): string | null {
    return this.#trouble;
  }

  get areVolatile(): boolean {
    return this.volatile.length > 0;
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
   * Makes lines of entries and writes them, all or none.
   *
   * @throws {VaultError} `audit_unavailable` where nothing took them.
   */
  write(entries: readonly string[]): void {
    const from = this.volatile.length;
    try {
      for (const entry of entries) this.volatile.add(this.#chain.appendBytes(entry));
      if (!this.#tryFile(this.volatile.since(from)) && !this.#mirrorWorks()) throw unavailable(this.#trouble!);
    } catch (error) {
      this.volatile.cut(from);
      this.#chain.rewind();
      throw error;
    }
    this.#stand(this.volatile.since(from));
  }

  /** The lines that the chain has made since stand already, as the store has them; the file gets them when it can. */
  complete(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const bytes = this.#encoded(lines.join(""));
    this.#tryFile(bytes);
    this.#stand(bytes);
  }

  /** Makes everything that was written durable now, if the file can be written. Never rejects. */
  sync(): Promise<void> {
    return this.#sync.run();
  }

  noteSynced({ sequence, volatileEnd }: Written): void {
    if (this.#trouble !== null) return;
    this.#synced = sequence;
    this.volatile.forgetUpTo(volatileEnd);
    if (!this.#isClosed && this.#in.rotation?.moveAway(this.#in.file, this.#chain.standing)) this.#in.file.reopen();
  }

  noteFailed(error: unknown): void {
    this.#breakDown(error);
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
    return this.#end(false);
  }

  /** Lets go of the files as they are. */
  abandon(): Promise<void> {
    return this.#end(true);
  }

  async #end(isLeft: boolean): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    await this.#sync.close(isLeft);
    await this.#in.rotation?.close();
    this.#in.file.close();
    this.#in.keyFile.close();
    await this.#in.mirror?.close();
  }

  #mirrorWorks(): boolean {
    return this.#in.mirror !== undefined && this.#in.mirror.trouble() === null;
  }

  #stand(bytes: Uint8Array): void {
    this.#chain.settle();
    this.#sync.plan();
    if (this.#trouble === null && this.#in.mirror === undefined && this.#listeners.size === 0) return;
    const text = this.#decoder.decode(bytes);
    const lines = text.match(/[^\n]*\n/g)!;
    if (this.#trouble !== null) this.#keepForLater(lines);
    this.#in.mirror?.send(text);
    for (const listener of this.#listeners) listener(lines);
  }

  #keepForLater(lines: readonly string[]): void {
    this.#behind.push(...lines);
    if (this.#behind.length > MAX_BEHIND) this.#lost += this.#behind.splice(0, this.#behind.length - MAX_BEHIND).length;
  }

  #tryFile(lines: Uint8Array): boolean {
    if (this.#trouble !== null) return false;
    try {
      this.#in.file.append(lines);
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
    if (this.#behind.length > 0 && !this.#tryFile(this.#encoder.encode(this.#behind.join("")))) return;
    this.#behind = [];
    this.#lost = 0;
    this.#onMended(mended);
  }
}

/** What requests are refused with. */
export function unavailable(reason: string): VaultError {
  return new VaultError("audit_unavailable", `Nothing can be recorded in the audit trail: ${reason}`, {
    hint: "make room on the disk of the audit file, or mend it; the vault goes on by itself then",
  });
}
