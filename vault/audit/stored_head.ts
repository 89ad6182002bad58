/**
 * The end of the trail as the store knows it. A commit that takes lines along says it by their last one; the others write it
 * down by itself.
 *
 * @module
 */

import type { AuditHeadRecord, AuditOutboxRecord } from "../storage/records.ts";
import type { Store } from "../storage/store.ts";
import { readRecords } from "../storage/store_facts.ts";
import { type ChainEnd, hashOf } from "./chain.ts";
import { lineParts } from "./entry.ts";

/**
 * The head of a store that is open.
 *
 * @returns Null where it knows of no line.
 */
export async function storedHead(store: Store): Promise<ChainEnd | null> {
  let last: AuditOutboxRecord | undefined;
  for await (const page of store.read("audit_outbox")) last = page.at(-1)?.value;
  return headOf(await store.get("audit_head", "head"), last);
}

/**
 * The head of a database file, also of one that a server is writing: at least as new as when this was called.
 *
 * @throws What SQLite does, for a file that can't be read.
 */
export function readHead(databasePath: string): ChainEnd | null {
  // In this order: rows of lines may go as soon as the head was written down.
  const last = readRecords(databasePath, "audit_outbox").at(-1);
  return headOf(readRecords(databasePath, "audit_head")[0], last);
}

function headOf(head: AuditHeadRecord | undefined, last: AuditOutboxRecord | undefined): ChainEnd | null {
  if (last === undefined) return head ?? null;
  const line = last.lines.trimEnd().split("\n").at(-1)!;
  const { seq } = lineParts(line);
  return head !== undefined && head.sequence >= seq ? head : { sequence: seq, hash: hashOf(line) };
}
