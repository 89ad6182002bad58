/**
 * Makes the audit file durable some time after lines were written, and moves the key on with it. There is no hurry for lines that
 * the store has: on one disk, syncs of the file hold up the store's commits.
 *
 * @module
 */

import type { ChainPosition } from "./chain.ts";
import type { LineSinkParts } from "./sink_parts.ts";

/** A power cut may take 100 ms, and the disk needs its time too. */
const SYNC_DELAY_MS = 80;
/** How often the key on disk is moved on: each time costs as much as a sync. What a power cut can't take waits for that. */
const KEY_DELAY_MS = 960;

/** Up to where lines were written. */
export interface Written {
  /** Number of the last line. */
  readonly sequence: number;
  /** Where it ends among those that a power cut could take (`volatile_lines.ts`). */
  readonly volatileEnd: number;
}

/** Whose lines they are. */
export interface Synced {
  readonly written: Written;
  /** Why the file can't be written; null: it can. */
  readonly trouble: string | null;
  /** Whether a power cut could take lines that the store hasn't either. */
  readonly areVolatile: boolean;
  /** The place after the last line, with a copy of the key, which is wiped here. */
  copyPosition(): ChainPosition;
  /** The file is durable up to there. */
  noteSynced(written: Written): void;
  noteFailed(error: unknown): void;
}

/** Syncs one file. */
export class FileSync {
  readonly #in: Pick<LineSinkParts, "file" | "keyFile">;
  readonly #lines: Synced;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #delay = Infinity;
  #running: Promise<void> = Promise.resolve();
  /** Milliseconds that the key on disk is behind, as the delays tell; at first it is moved on at once. */
  #keyBehind = KEY_DELAY_MS;
  #isClosed = false;

  constructor(parts: Pick<LineSinkParts, "file" | "keyFile">, lines: Synced) {
    this.#in = parts;
    this.#lines = lines;
  }

  /** Lines were written. */
  plan(): void {
    const delay = this.#lines.areVolatile ? SYNC_DELAY_MS : KEY_DELAY_MS;
    if (delay >= this.#delay || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#delay = delay;
    this.#timer = setTimeout(() => void this.run(), delay);
  }

  /** Makes everything that was written durable now. Never rejects. */
  run(): Promise<void> {
    return this.#running = this.#running.then(() => this.#sync());
  }

  /** The last sync of all, unless things are to be left as they are. */
  async close(isLeft: boolean): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    if (!isLeft) await this.#sync();
  }

  async #sync(): Promise<void> {
    const { written, trouble } = this.#lines;
    const behind = this.#keyBehind + Math.min(this.#delay, KEY_DELAY_MS);
    // The key of what is synced now: by then there may be lines that aren't.
    const position = this.#isClosed || behind >= KEY_DELAY_MS ? this.#lines.copyPosition() : undefined;
    clearTimeout(this.#timer);
    this.#delay = Infinity;
    try {
      await this.#in.file.sync();
      this.#keyBehind = behind;
      if (position !== undefined) await this.#moveKey(position);
      if (trouble === null) this.#lines.noteSynced(written);
    } catch (error) {
      // Of a file that was broken it is no news, and by now that may have been mended.
      if (trouble === null) this.#lines.noteFailed(error);
    } finally {
      // Whoever reads this memory later must not find the key of a line that is written by then.
      position?.key.fill(0);
    }
    // The key moves on with the last line as well: a trail that rests must not leave the key of what it wrote behind.
    const isBehind = this.#lines.written.sequence > written.sequence || this.#keyBehind > 0;
    if (!this.#isClosed && isBehind) this.plan();
  }

  async #moveKey(position: ChainPosition): Promise<void> {
    await this.#in.keyFile.write(position);
    this.#keyBehind = 0;
  }
}
