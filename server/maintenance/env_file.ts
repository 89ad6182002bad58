/**
 * Reads an `.env` file, as Docker Compose and shells have them.
 *
 * @module
 */

import { VaultError } from "../../vault/mod.ts";

/** Larger ones hold something else. */
const MAX_CHARS = 64 * 1024;
const LINE = /^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=(.*)$/;

/**
 * The variables of a file by name; of a name that stands twice the last counts. Comments and empty lines are passed over.
 *
 * @throws {VaultError} `invalid_argument` naming the line that is none of these; never what stands in it.
 */
export function parseEnvFile(path: string, text: string): Map<string, string> {
  if (text.length > MAX_CHARS) {
    throw new VaultError("invalid_argument", `${path} is longer than ${MAX_CHARS} characters`);
  }
  const variables = new Map<string, string>();
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const found = LINE.exec(line);
    if (found === null) throw new VaultError("invalid_argument", `${path}, line ${index + 1} is no NAME=value`);
    variables.set(found[1]!, valueOf(found[2]!.trim()));
  }
  return variables;
}

/** What stands between quotes is taken as it is; without them a comment may follow. */
function valueOf(text: string): string {
  const quote = text[0];
  const end = quote === '"' || quote === "'" ? text.indexOf(quote, 1) : -1;
  return end > 0 ? text.slice(1, end) : text.replace(/[ \t]+#.*$/, "");
}
