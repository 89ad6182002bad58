/**
 * Reads one of the YAML files in a thread, within a time limit.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { KeptThread } from "../kept_thread.ts";
import type { Document, FileName, Rows } from "./document.ts";
import type { ParseAnswer, ParseRequest } from "./parse_worker.ts";

/** A file that takes longer is refused: a YAML bomb must not work for ever. */
const MAX_PARSE_MS = 120_000;
/** What a thread read last stays in its memory: one that read more goes. */
const MAX_KEPT_ROWS = 2000;

/** Reads files, one after the other. */
export class FileReader {
  readonly #thread = new KeptThread<ParseRequest, ParseAnswer>(
    () => new Worker(new URL("./parse_worker.ts", import.meta.url).href, { type: "module" }),
  );

  /**
   * Reads and checks a file.
   *
   * @throws {VaultError} `config_invalid` naming path, line and key.
   */
  async read<F extends FileName>(file: F, path: string): Promise<Document<F>> {
    const rows: Rows[F][] = [];
    try {
      return await this.#thread.do<Document<F>>({
        request: { file, path },
        take: (answer) => {
          if ("failure" in answer) throw refusal(answer.failure, answer.hint);
          if (!("rows" in answer)) return { file, path, rows, ...answer };
          for (const row of answer.rows) rows.push(row as Rows[F]);
          return undefined;
        },
        died: (reason) => refusal(`${path} could not be read: ${reason}`),
        limit: { ms: MAX_PARSE_MS, late: () => refusal(`${path} took longer than ${MAX_PARSE_MS} ms to read`) },
      });
    } catch (error) {
      // How large a file was that is refused, nobody knows.
      this.close();
      throw error;
    } finally {
      if (rows.length > MAX_KEPT_ROWS) this.close();
    }
  }

  /** Ends the thread. */
  close(): void {
    this.#thread.end();
  }
}

/** Reads one file in a thread of its own; see {@link FileReader.read}. */
export async function readFile<F extends FileName>(file: F, path: string): Promise<Document<F>> {
  const reader = new FileReader();
  try {
    return await reader.read(file, path);
  } finally {
    reader.close();
  }
}

function refusal(message: string, hint?: string): VaultError {
  return new VaultError("config_invalid", message, hint === undefined ? {} : { hint });
}
