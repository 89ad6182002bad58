/**
 * The thread that reads an edited file: parsing 100,000 rows of YAML takes seconds, and none of them may be the event
 * loop's. Rows go back in parts, so that receiving them does not hold it up either.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { VaultError } from "../errors.ts";
import type { FileName, RoleRow, TokenRow } from "./document.ts";
import { parseFile } from "./parse.ts";

/** Which file to read. */
export interface ParseRequest {
  readonly file: FileName;
  readonly path: string;
}

/** Part of a document, its end, or why there is none. */
export type ParseAnswer =
  | { readonly rows: readonly (RoleRow | TokenRow)[] }
  | { readonly digest: string; readonly generation: number | null; readonly warnings: readonly string[] }
  | { readonly failure: string; readonly hint: string | undefined };

interface WorkerScope {
  onmessage: ((event: MessageEvent<ParseRequest>) => void) | null;
  postMessage(answer: ParseAnswer): void;
}

/** A file larger than this is not read: a million users take about 230 MB. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

const PART_ROWS = 1000;
const PART_PAUSE_MS = 4;
const scope = globalThis as unknown as WorkerScope;

scope.onmessage = async ({ data }) => {
  try {
    await answer(data);
  } catch (error) {
    const failure = error instanceof Error ? error.message : "unknown failure";
    scope.postMessage({ failure, hint: error instanceof VaultError ? error.hint : undefined });
  }
};

async function answer({ file, path }: ParseRequest): Promise<void> {
  const { size } = Deno.statSync(path);
  if (size > MAX_FILE_BYTES) throw new VaultError("config_invalid", `${path} is larger than ${MAX_FILE_BYTES} bytes`);
  const bytes = Deno.readFileSync(path);
  const digest = createHash("sha256").update(bytes).digest("hex");
  const document = parseFile(file, path, decode(path, bytes), digest);
  for (let i = 0; i < document.rows.length; i += PART_ROWS) {
    scope.postMessage({ rows: document.rows.slice(i, i + PART_ROWS) });
    // Parts that wait in a heap would be received one after the other, and nothing else between them.
    await new Promise((resolve) => setTimeout(resolve, PART_PAUSE_MS));
  }
  scope.postMessage({ digest, generation: document.generation, warnings: document.warnings });
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new VaultError("config_invalid", `${path} is not UTF-8`, { cause });
  }
}
