/**
 * The file of the audit trail: lines are added whole or not at all.
 *
 * @module
 */

/** An open audit file. */
export class AuditFile {
  readonly path: string;
  #file: Deno.FsFile;
  #bytes: number;
  #syncing: Promise<void> = Promise.resolve();

  /** Opens the file for adding to it, mode 0600; makes it where there is none. */
  constructor(path: string) {
    this.path = path;
    this.#file = openToAppend(path);
    this.#bytes = this.#file.statSync().size;
  }

  /** Its length. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds lines; when it returns they have passed `write(2)`, which a killed process can't take back. A part that was
   * written before the disk was full is taken away again.
   */
  append(bytes: Uint8Array): void {
    let done = 0;
    try {
      done = this.#file.writeSync(bytes);
      while (done < bytes.length) done += this.#file.writeSync(bytes.subarray(done));
      this.#bytes += done;
    } catch (error) {
      if (done > 0) this.#file.truncateSync(this.#file.statSync().size - done);
      throw error;
    }
  }

  /** Makes what was added durable. */
  sync(): Promise<void> {
    const file = this.#file;
    return this.#syncing = this.#syncing.catch(() => {}).then(() => file.syncData());
  }

  /** Opens the path again: whoever rotates logs has moved the file away. */
  reopen(): void {
    const fresh = openToAppend(this.path);
    this.#letGo(this.#file);
    this.#file = fresh;
    this.#bytes = fresh.statSync().size;
  }

  close(): void {
    this.#letGo(this.#file);
  }

  /** What is in the former file must be durable too, and a file that is being synced can't be closed. */
  #letGo(file: Deno.FsFile): void {
    this.#syncing = this.#syncing.catch(() => {}).then(() => file.syncData()).finally(() => file.close());
    // Whoever syncs next is told.
    this.#syncing.catch(() => {});
  }
}

function openToAppend(path: string): Deno.FsFile {
  return Deno.openSync(path, { append: true, create: true, mode: 0o600 });
}
