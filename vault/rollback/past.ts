/**
 * What an audit file knows that its store doesn't: the entries after the head that the store remembers.
 *
 * @module
 */

import { dirname } from "node:path";
import { hashOf } from "../audit/chain.ts";
import { GENESIS_HASH, lineParts, parseLine } from "../audit/entry.ts";
import { linesAfter } from "../audit/file_tail.ts";
import { inOrder, linesOf, type TrailFile, trailFiles } from "../audit/trail_files.ts";
import { Replay } from "./replay.ts";

/** A place in the trail. */
export interface TrailHead {
  readonly sequence: number;
  readonly hash: string;
}

/** What was found. */
export interface TrailPast {
  /** The number of the last change that the file knows of; 0: none after the head. */
  readonly lastChange: number;
  /** The number of the file's last line; 0: none after the head. */
  readonly lastLine: number;
  /** What changes after the store's did; null where the lines don't follow from the head without a gap. */
  readonly replay: Replay | null;
}

/**
 * Reads the lines after a head, and whether they follow from it, each from the one before.
 *
 * @param storeSequence Changes up to this one are in the store.
 */
export async function pastOf(path: string, head: TrailHead | null, storeSequence: number): Promise<TrailPast> {
  const replay = new Replay();
  let { sequence, hash } = head ?? { sequence: 0, hash: GENESIS_HASH };
  const before = sequence;
  let lastChange = 0;
  let isWhole = true;
  for await (const line of linesSince(path, sequence)) {
    const { seq, prev } = lineParts(line);
    isWhole &&= seq === sequence + 1 && prev === hash;
    [sequence, hash] = [seq, hashOf(line)];
    const change = changeOf(line);
    lastChange = Math.max(lastChange, change);
    if (change > storeSequence) replay.add(parseLine(line));
  }
  return { lastChange, lastLine: sequence === before ? 0 : sequence, replay: isWhole ? replay : null };
}

const CHANGE = /"change":([1-9][0-9]{0,15})[,}]/;

/** Most lines are about requests that changed nothing: they needn't be taken apart. */
function changeOf(line: string): number {
  return CHANGE.test(line) ? parseLine(line).change ?? 0 : 0;
}

/** The lines after number `after`: of the present file, and of former ones where rotation has moved some of them away. */
async function* linesSince(path: string, after: number): AsyncIterable<string> {
  for (const former of await formerSince(path, after)) yield* linesOfFormer(former, after);
  yield* linesAfter(path, after);
}

async function formerSince(path: string, after: number): Promise<string[]> {
  if (!await isThere(dirname(path))) return [];
  const holdsNext = ({ first }: TrailFile) => first !== null && first <= after + 1;
  if (await isThere(path) && (await inOrder([path])).some(holdsNext)) return [];
  const files = await trailFiles(path);
  const from = Math.max(0, files.findLastIndex(holdsNext));
  return files.slice(from).map((file) => file.path).filter((one) => one !== path);
}

async function* linesOfFormer(path: string, after: number): AsyncIterable<string> {
  const lines = linesOf(path);
  for (;;) {
    // What can't be read is a gap, which the numbers of the lines that follow show.
    const next = await lines.next().catch(() => null);
    if (next === null || next.done) return;
    const seq = sequenceOf(next.value.text);
    if (seq === null) return;
    if (seq > after) yield next.value.text;
  }
}

function sequenceOf(line: string): number | null {
  try {
    return lineParts(line).seq;
  } catch {
    return null;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
