/**
 * Whether an edit was made on the newest text: taking one that was not would undo what came after.
 *
 * @module
 */

import { quoteName } from "../names.ts";
import type { VaultState } from "../state.ts";
import type { FileRecord } from "../storage/records.ts";
import type { Store } from "../storage/store.ts";
import type { Document, FileName } from "./document.ts";

const MAX_NAMED_ROWS = 20;

/** Why an edited file can't be taken as it is, naming the rows that changed since; null where it can. */
export async function whyTooOld(
  { file, generation }: Document,
  record: FileRecord,
  { state, store }: { readonly state: VaultState; readonly store: Store },
): Promise<string | null> {
  const heldNoUser = !state.meta.has("first_user_at");
  if (generation === null) {
    if (heldNoUser) return null;
    return `it has no generation, and this vault already held users; ${await changedSince(store, file, -1)}`;
  }
  if (generation === record.generation && !record.dirty) return null;
  if (heldNoUser && record.generation === 0) return null;
  return `it is based on generation ${generation}; ${await changedSince(store, file, generation)}`;
}

async function changedSince(store: Store, file: FileName, generation: number): Promise<string> {
  const rows: string[] = [];
  for await (const page of store.read("file_change")) {
    for (const { key, value } of page) {
      if (key.startsWith(`${file}/`) && value.generation > generation) rows.push(key.slice(file.length + 1));
    }
    if (rows.length > MAX_NAMED_ROWS) break;
  }
  const named = rows.slice(0, MAX_NAMED_ROWS).map(quoteName).join(", ");
  return `changed since: ${named || "nothing by name"}${rows.length > MAX_NAMED_ROWS ? ", …" : ""}`;
}
