/**
 * The thread that commits: a slow disk holds up this thread, never the event loop that checks tokens.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { RecordKind } from "./records.ts";
import { type PageText, SqliteDatabase, sqliteReason } from "./sqlite_database.ts";
import type { Write } from "./store.ts";

/** What the store asks of its thread. */
export type WorkerRequest =
  | { readonly id: number; readonly open: string }
  | { readonly id: number; readonly writes: readonly Write[]; readonly expectedSequence: number }
  | { readonly id: number; readonly kind: RecordKind; readonly after: string }
  | { readonly id: number; readonly close: true };

/** What the thread answers: the sequence or the page asked for, or why it has none and nothing was written. */
export type WorkerAnswer =
  | { readonly id: number; readonly value: number | PageText }
  | { readonly id: number; readonly failure: string };

interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  postMessage(answer: WorkerAnswer): void;
}

const scope = globalThis as unknown as WorkerScope;
let database: SqliteDatabase | undefined;

function answer(request: WorkerRequest): number | PageText {
  if ("open" in request) {
    database = new SqliteDatabase(request.open);
    return database.sequence();
  }
  if ("close" in request) {
    database?.close();
    database = undefined;
    return 0;
  }
  if (database === undefined) throw new VaultError("storage_failed", "The database is not open");
  if ("kind" in request) return database.page(request.kind, request.after);
  return database.commit(request.writes, request.expectedSequence);
}

scope.onmessage = ({ data }) => {
  try {
    scope.postMessage({ id: data.id, value: answer(data) });
  } catch (error) {
    scope.postMessage({ id: data.id, failure: sqliteReason(error) });
  }
};
