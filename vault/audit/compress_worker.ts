/**
 * The thread that compresses former audit files.
 *
 * @module
 */

import { dirname } from "node:path";
import { collectRecent } from "../garbage.ts";
import { MEMBER_BYTES, packMember, readInto } from "./block_gzip.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<string>) => void) | null;
  postMessage(answer: { readonly failure?: string }): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = ({ data }) => {
  try {
    compressFile(data);
    scope.postMessage({});
  } catch (error) {
    scope.postMessage({ failure: error instanceof Error ? error.message : "unknown failure" });
  }
};

/** What so many members leave behind is collected: the thread is kept, and the allocator keeps for it what it once took. */
const COLLECT_EVERY = 16;

/** Whoever reads finds the one or the other at any time, and never half of one. */
function compressFile(path: string): void {
  const part = `${path}.gz.part`;
  {
    using from = Deno.openSync(path);
    using to = Deno.openSync(part, { write: true, create: true, truncate: true, mode: 0o600 });
    const buffer = new Uint8Array(MEMBER_BYTES);
    for (let index = 0;; index++) {
      const bytes = readInto(buffer, from, index * MEMBER_BYTES);
      if (bytes.length > 0) writeAll(to, packMember(bytes));
      if (bytes.length < MEMBER_BYTES) break;
      if (index % COLLECT_EVERY === 0) collectRecent();
    }
    to.syncSync();
  }
  const { mtime } = Deno.statSync(path);
  // Its age counts from its last line.
  if (mtime !== null) Deno.utimeSync(part, mtime, mtime);
  Deno.renameSync(part, `${path}.gz`);
  using folder = Deno.openSync(dirname(path));
  folder.syncSync();
  Deno.removeSync(path);
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
