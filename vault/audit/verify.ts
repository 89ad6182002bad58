/**
 * Checking a trail: every line follows the one before it, was written under its own key, and the last one is there.
 *
 * The hashes alone show what was altered, taken out or moved. A whole end that somebody wrote anew has hashes that fit: only
 * the keys show that, and only the head that the vault knows shows an end that was cut off. What could not be checked is
 * said.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { hashOf, macOf, nextKey } from "./chain.ts";
import { GENESIS_HASH, type LineParts, lineParts } from "./entry.ts";
import { linesOf, type TrailFile } from "./trail_files.ts";

/** A key of the trail: the first one, or one with which a later series began. */
export interface SeriesKey {
  /** Number of the line that it is the key of. */
  readonly firstSequence: number;
  readonly key: Uint8Array;
}

/** The last line as the vault knows it. */
export interface TrailHead {
  readonly sequence: number;
  readonly hash: string;
}

/** What there is to check with. */
export interface VerifyOptions {
  readonly keys: readonly SeriesKey[];
  /** Undefined: not known. */
  readonly head?: TrailHead | undefined;
}

/** The first thing that is wrong. */
export interface BrokenLine {
  readonly path: string;
  /** Number in its file, from 1; 0: the end of all files. */
  readonly line: number;
  /** Number in the trail that should stand there. */
  readonly sequence: number;
  readonly reason: string;
}

/** What was found. */
export interface VerifyReport {
  /** Lines that were checked. */
  readonly lines: number;
  readonly first: number | null;
  readonly last: number | null;
  /** Lines whose keys were checked. */
  readonly checkedKeys: number;
  readonly broken: BrokenLine | null;
  /** What these checks could not exclude. */
  readonly notExcluded: readonly string[];
}

/** Checks files, given in the order of their lines. Reading stops at the first line that is broken. */
export async function verifyTrail(files: readonly TrailFile[], options: VerifyOptions): Promise<VerifyReport> {
  const checker = new TrailChecker(options);
  for (const { path } of files) {
    if (!await checkFile(checker, path)) return checker.report();
  }
  checker.checkEnd(files.at(-1)?.path ?? "");
  return checker.report();
}

/** Whether all of a file is right. */
async function checkFile(checker: TrailChecker, path: string): Promise<boolean> {
  let line = 0;
  try {
    for await (const { text, number } of linesOf(path)) {
      line = number;
      if (checker.check(text, path, number) !== null) return false;
    }
    return true;
  } catch (error) {
    if (!(error instanceof VaultError) || error.kind !== "invalid_argument") throw error;
    checker.fail(path, line + 1, error.message);
    return false;
  }
}

/** A broken line in words. */
export function brokenText({ path, line, sequence, reason }: BrokenLine): string {
  return line === 0 ? `entry ${sequence}: ${reason}` : `${path}, line ${line} (entry ${sequence}): ${reason}`;
}

/** Checks lines, one after the other. */
export class TrailChecker {
  readonly #options: VerifyOptions;
  #lines = 0;
  #first: number | null = null;
  #last: number | null = null;
  #hash = GENESIS_HASH;
  #key: Uint8Array | undefined;
  #checkedKeys = 0;
  #sawHead = false;
  #broken: BrokenLine | null = null;

  constructor(options: VerifyOptions) {
    this.#options = options;
  }

  /** Number of the last line that was right. */
  get last(): number | null {
    return this.#last;
  }

  /** Checks the next line; null where it is right. */
  check(text: string, path: string, line: number): BrokenLine | null {
    const sequence = this.#last === null ? numberOf(text) ?? 1 : this.#last + 1;
    const reason = this.#wrong(text, sequence);
    if (reason !== null) return this.#broken = { path, line, sequence, reason };
    this.#first ??= sequence;
    this.#last = sequence;
    this.#hash = hashOf(text);
    this.#lines++;
    return this.#wrongHead(path, line);
  }

  /** What should be the next line can't be read at all. */
  fail(path: string, line: number, reason: string): void {
    this.#broken = { path, line, sequence: (this.#last ?? 0) + 1, reason };
  }

  /** Checks that nothing is missing at the end. */
  checkEnd(path: string): void {
    const { head } = this.#options;
    if (this.#broken !== null || head === undefined || head.sequence === 0) return;
    if (this.#sawHead || (this.#first !== null && head.sequence < this.#first)) return;
    const from = (this.#last ?? 0) + 1;
    const reason = `entries ${from} to ${head.sequence} are missing at the end`;
    this.#broken = { path, line: 0, sequence: from, reason };
  }

  report(): VerifyReport {
    return {
      lines: this.#lines,
      first: this.#first,
      last: this.#last,
      checkedKeys: this.#checkedKeys,
      broken: this.#broken,
      notExcluded: this.#notExcluded(),
    };
  }

  #wrong(text: string, sequence: number): string | null {
    const parts = partsOf(text);
    if (parts === null) return "this is no line of an audit trail";
    if (parts.seq !== sequence) {
      return `entry ${parts.seq} stands where ${sequence} should: ${missing(sequence, parts.seq)}`;
    }
    const isFirst = this.#first === null;
    if ((!isFirst || sequence === 1) && parts.prev !== this.#hash) {
      return "the entry before it was altered, or is another one";
    }
    return this.#wrongKey(parts);
  }

  /** A line of a series whose first key is known must be written under its own key. */
  #wrongKey({ seq, mac, signed }: LineParts): string | null {
    const begun = this.#options.keys.find(({ firstSequence }) => firstSequence === seq);
    this.#key = begun?.key ?? (this.#key === undefined ? this.#keyBefore(seq) : nextKey(this.#key));
    if (this.#key === undefined) return null;
    if (macOf(this.#key, signed) !== mac) return "it was altered, or not written by this vault: its MAC is wrong";
    this.#checkedKeys++;
    return null;
  }

  /** The key of a line, from the last series that begins before it. */
  #keyBefore(sequence: number): Uint8Array | undefined {
    if (this.#first !== null) return undefined;
    const series = this.#options.keys.filter(({ firstSequence }) => firstSequence < sequence);
    const nearest = series.toSorted((a, b) => b.firstSequence - a.firstSequence)[0];
    if (nearest === undefined) return undefined;
    let { key } = nearest;
    for (let at = nearest.firstSequence; at < sequence; at++) key = nextKey(key);
    return key;
  }

  #wrongHead(path: string, line: number): BrokenLine | null {
    const { head } = this.#options;
    if (head === undefined || head.sequence !== this.#last) return null;
    this.#sawHead = true;
    if (head.hash === this.#hash) return null;
    const reason = "it is not the entry that the vault knows by this number";
    return this.#broken = { path, line, sequence: head.sequence, reason };
  }

  #notExcluded(): string[] {
    const { keys, head } = this.#options;
    const first = this.#first ?? 1;
    const said: string[] = [];
    if (first > 1) said.push(`anything about entries 1 to ${first - 1}: they are not in these files`);
    if (keys.length === 0) said.push("that the end was written anew by somebody (give --key)");
    else if (this.#checkedKeys < this.#lines) {
      said.push(
        `that ${this.#lines - this.#checkedKeys} entries were written anew: they are of a series of another key`,
      );
    }
    if (head === undefined) said.push("that entries are missing at the end (the vault's head is not known)");
    return said;
  }
}

function missing(expected: number, found: number): string {
  if (found < expected) return "it is there twice, or in the wrong place";
  return found === expected + 1 ? `${expected} is missing` : `${expected} to ${found - 1} are missing`;
}

function partsOf(text: string): LineParts | null {
  try {
    return lineParts(text);
  } catch {
    return null;
  }
}

function numberOf(text: string): number | null {
  return partsOf(text)?.seq ?? null;
}
