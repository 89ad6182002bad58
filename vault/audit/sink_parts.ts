/**
 * What lines are written with, and to.
 *
 * @module
 */

import type { Logger } from "../ports.ts";
import type { AuditFile } from "./audit_file.ts";
import type { Chain } from "./chain.ts";
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
  /**
   * Whether the file was moved away, so that a new one is to be begun.
   *
   * @param last The number of the last line in it.
   */
  moveAway(file: AuditFile, last: number): boolean;
  /** Waits for what it does beside. */
  close(): Promise<void>;
}

/** What lines are written with. */
export interface LineSinkParts {
  readonly chain: Chain;
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
