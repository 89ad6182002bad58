/**
 * Reads one of the YAML files in a thread of its own, within a time limit.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Document, FileName, Rows } from "./document.ts";
import type { ParseAnswer, ParseRequest } from "./parse_worker.ts";

/** A file that takes longer is refused: a YAML bomb must not work for ever. */
const MAX_PARSE_MS = 120_000;

/**
 * Reads and checks a file.
 *
 * @throws {VaultError} `config_invalid` naming path, line and key.
 */
export function readFile<F extends FileName>(file: F, path: string): Promise<Document<F>> {
  const worker = new Worker(new URL("./parse_worker.ts", import.meta.url).href, { type: "module" });
  const rows: Rows[F][] = [];
  const { promise, resolve, reject } = Promise.withResolvers<Document<F>>();
  const refuse = (message: string, hint?: string) =>
    reject(new VaultError("config_invalid", message, hint === undefined ? {} : { hint }));
  const timer = setTimeout(() => refuse(`${path} took longer than ${MAX_PARSE_MS} ms to read`), MAX_PARSE_MS);
  worker.onmessage = ({ data }: MessageEvent<ParseAnswer>) => {
    if ("rows" in data) { for (const row of data.rows) rows.push(row as Rows[F]); }
    else if ("failure" in data) refuse(data.failure, data.hint);
    else resolve({ file, path, rows, ...data });
  };
  worker.onerror = (event) => {
    event.preventDefault();
    refuse(`${path} could not be read: ${event.message}`);
  };
  worker.postMessage({ file, path } satisfies ParseRequest);
  return promise.finally(() => {
    clearTimeout(timer);
    worker.terminate();
  });
}
