/**
 * The thread that keeps the index and answers questions to it: reading files of gigabytes must not hold up anybody.
 *
 * @module
 */

import { parseLine } from "../entry.ts";
import { catchUp, type IndexedFile } from "./indexer.ts";
import { IndexDatabase, type IndexQuery, type LinePlace } from "./index_database.ts";
import { openPlaced, type PlacedBytes } from "./line_reader.ts";

/** What is asked of the thread. */
export type IndexRequest =
  & { readonly id: number }
  & (
    | { readonly open: string }
    | { readonly catchUp: readonly IndexedFile[] }
    | { readonly find: IndexQuery; readonly files: readonly IndexedFile[] }
    | { readonly close: true }
  );

/** The lines that were found, and the number of the last one looked at. */
export interface FoundLines {
  readonly lines: readonly string[];
  readonly last: number;
}

/** What the thread answers. */
export type IndexAnswer =
  | { readonly id: number; readonly found: FoundLines }
  | { readonly id: number; readonly added: number }
  | { readonly id: number; readonly failure: string };

interface WorkerScope {
  onmessage: ((event: MessageEvent<IndexRequest>) => void) | null;
  postMessage(answer: IndexAnswer): void;
}

const scope = globalThis as unknown as WorkerScope;
let index: IndexDatabase | undefined;

function answer(request: IndexRequest): IndexAnswer {
  const { id } = request;
  if ("open" in request) index = new IndexDatabase(request.open);
  else if ("close" in request) index?.close();
  else if ("catchUp" in request) return { id, added: catchUp(index!, request.catchUp) };
  else return { id, found: found(index!.find(request.find), request.files) };
  return { id, added: 0 };
}

function found(places: readonly LinePlace[], files: readonly IndexedFile[]): FoundLines {
  const decoder = new TextDecoder();
  const lines: string[] = [];
  const paths = new Map(files.map(({ first, path }) => [first, path]));
  let open: { file: number; placed: PlacedBytes } | undefined;
  try {
    for (const { file, at, length } of places) {
      const path = paths.get(file);
      // A file that retention took away is gone from the answers too.
      if (path === undefined) continue;
      if (open?.file !== file) {
        open?.placed[Symbol.dispose]();
        open = { file, placed: openPlaced(path) };
      }
      const line = decoder.decode(open.placed.bytes(at, length));
      if (isWhole(line)) lines.push(line);
    }
  } finally {
    open?.placed[Symbol.dispose]();
  }
  return { lines, last: places.at(-1)?.seq ?? 0 };
}

/** The index looks at the beginning of a line alone. Whoever reads what is found may rely on its form. */
function isWhole(line: string): boolean {
  try {
    parseLine(line);
    return true;
  } catch {
    return false;
  }
}

scope.onmessage = ({ data }) => {
  try {
    scope.postMessage(answer(data));
  } catch (error) {
    scope.postMessage({ id: data.id, failure: error instanceof Error ? error.message : "unknown failure" });
  }
};
