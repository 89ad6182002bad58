/**
 * Makes the audit file durable some time after lines were written, and moves the key on with it.
 *
 * @module
 */

import type { ChainPosition } from "./chain.ts";
import type { LineSinkParts } from "./sink_parts.ts";

/** A power cut may take 100 ms, and the disk needs its time too. */
const SYNC_DELAY_MS = 80;
/** So many syncs of the file go by before the key on disk is moved on: about a second. Each costs as much as a sync. */
const SYNCS_OF_A_KEY = 12;

/** Whose lines they are. */
export interface Synced {
  /** The last line that was written. */
  readonly position: ChainPosition;
  /** Why the file can't be written; null: it can. */
  readonly trouble: string | null;
  /** The file is durable up to there. */
  noteSynced(position: ChainPosition): void;
  noteFailed(error: unknown): void;
}

/** Syncs one file. */
export class FileSync {
  readonly #in: Pick<LineSinkParts, "file" | "keyFile">;
  readonly #lines: Synced;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  #syncs = -1;
  #isClosed = false;

  constructor(parts: Pick<LineSinkParts, "file" | "keyFile">, lines: Synced) {
    this.#in = parts;
    this.#lines = lines;
  }

  /** Lines were written. */
  plan(): void {
    this.#timer ??= setTimeout(() => void this.run(), SYNC_DELAY_MS);
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
    const { position, trouble } = this.#lines;
    try {
      await this.#in.file.sync();
      if (this.#isClosed || ++this.#syncs % SYNCS_OF_A_KEY === 0) await this.#in.keyFile.write(position);
      if (trouble === null) this.#lines.noteSynced(position);
    } catch (error) {
      // Of a file that was broken it is no news, and by now that may have been mended.
      if (trouble === null) this.#lines.noteFailed(error);
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // The key moves on with the last line as well: a trail that rests must not leave the key of what it wrote behind.
    const isBehind = this.#lines.position.sequence > position.sequence || this.#syncs % SYNCS_OF_A_KEY !== 0;
    if (!this.#isClosed && isBehind) this.plan();
  }
}
