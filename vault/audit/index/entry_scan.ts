/**
 * What the index wants of a line, found without reading the whole of it as JSON: that would take most of the time that an
 * index takes to be made anew.
 *
 * @module
 */

import { parseLine } from "../entry.ts";

/** What is indexed of an entry. */
export interface ScannedEntry {
  readonly seq: number;
  /** As it stands in the line. */
  readonly time: string;
  readonly operation: string;
  readonly user: string | undefined;
  readonly entityId: string | undefined;
}

/**
 * The beginning of a line as `encoding.ts` writes it, up to the entity. What is written otherwise, or holds an escape, is
 * left to the reader of JSON: so the last group must be followed by a member that none of these is.
 */
const BEGINNING = new RegExp(
  String.raw`^\{"seq":([1-9][0-9]{0,14}),"time":"([0-9TZ:.-]{24})","request_id":"[^"\\]*","face":"[a-z]+",` +
    String.raw`"operation":"([^"\\]*)","decision":"[a-z]+"(?:,"error":"[^"\\]*")?(?:,"user":"([^"\\]*)")?` +
    String.raw`(?:,"unverified_sudo_user":"[^"\\]*")?(?:,"entity_id":"([^"\\]*)")?,"` +
    String.raw`(?!(?:error|user|unverified_sudo_user|entity_id)")`,
);

/** Reads a line; null for what is no entry. */
export function scanLine(line: string): ScannedEntry | null {
  const found = BEGINNING.exec(line);
  // A number or a time that is none, such as a thirteenth month, is no entry's: one such line would end the whole index.
  if (found === null || Number.isNaN(Date.parse(found[2]!))) return readLine(line);
  const [, seq, time, operation, user, entityId] = found;
  return { seq: Number(seq), time: time!, operation: operation!, user, entityId };
}

function readLine(line: string): ScannedEntry | null {
  try {
    const { seq, time, operation, user, entity_id: entityId } = parseLine(line);
    return { seq, time, operation, user, entityId };
  } catch {
    return null;
  }
}
