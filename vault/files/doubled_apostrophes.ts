/**
 * A limit on YAML texts that the runtime needs, not the grammar.
 *
 * @module
 */

import { VaultError } from "../errors.ts";

/** Some 1,200 in one scalar, read often enough, were the fewest that did it; no file of ours has any. */
const MAX_DOUBLED = 500;

/**
 * Refuses a text with many doubled apostrophes.
 *
 * The YAML library steps over them (`'it''s'`) in a loop that V8 of Deno 2.8 fails to compile while it runs: a check
 * inside of its compiler (Maglev, on-stack replacement in a generator) then aborts the whole process, whichever thread
 * read the text. `--v8-flags=--no-maglev-osr` prevents it too.
 *
 * @param path What the text was read from, as the error names it.
 * @throws {VaultError} `config_invalid` naming the line on which there are too many.
 */
export function assertFewDoubledApostrophes(path: string, text: string, firstLine = 1): void {
  let count = 0;
  for (let at = text.indexOf("''"); at !== -1; at = text.indexOf("''", at + 2)) {
    if (++count <= MAX_DOUBLED) continue;
    const line = firstLine + text.slice(0, at).split("\n").length - 1;
    throw new VaultError("config_invalid", `${path}, line ${line}: more than ${MAX_DOUBLED} doubled apostrophes`, {
      hint: "nothing was changed; put such text in double quotes",
      data: { line },
    });
  }
}
