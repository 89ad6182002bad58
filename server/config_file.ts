/**
 * `runevault.yml`: a mapping of settings and nothing else that YAML could say.
 *
 * @module
 */

import { type Document, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { assertFewDoubledApostrophes } from "../vault/files/doubled_apostrophes.ts";
import { VaultError } from "../vault/mod.ts";
import { quoteUnknownKey } from "../vault/names.ts";
import { yamlProblem } from "../vault/yaml_problem.ts";
import { SERVE_OPTIONS } from "./config_options.ts";
import type { RawValues } from "./config_values.ts";

/** Many times what all settings take. The YAML library needs a second for this much, and a kilobyte a node. */
const MAX_FILE_CHARS = 64 * 1024;

/**
 * Reads `runevault.yml`.
 *
 * @throws {VaultError} `config_invalid` for YAML that isn't a mapping, or that has an unknown key, which it names
 *   where it looks like one.
 */
export function valuesFromFile(path: string, text: string): RawValues {
  if (text.length > MAX_FILE_CHARS) {
    throw new VaultError("config_invalid", `${path} is longer than ${MAX_FILE_CHARS} characters`);
  }
  assertFewDoubledApostrophes(path, text);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const problem = document.errors[0];
  if (problem !== undefined) {
    const reason = yamlProblem(problem);
    throw new VaultError("config_invalid", `${path}, line ${lines.linePos(problem.pos[0]).line}: ${reason}`);
  }
  const values = plainValues(path, document);
  if (values === null) return {};
  if (typeof values !== "object" || Array.isArray(values)) {
    throw new VaultError("config_invalid", `${path} must be a mapping of settings`);
  }
  const known = new Set(SERVE_OPTIONS.filter((option) => !option.once).map((option) => option.key));
  const unknown = Object.keys(values).find((key) => !known.has(key) || key === "config");
  if (unknown === undefined) return values as RawValues;
  throw new VaultError(
    "config_invalid",
    `${path}: unknown key${quoteUnknownKey(unknown)}`,
    { hint: `keys are ${[...known].filter((key) => key !== "config").join(", ")}` },
  );
}

/** What settings have no use for is refused, and a number is the text that it was written as. */
function plainValues(path: string, document: Document): unknown {
  visit(document, {
    Alias: () => {
      throw new VaultError("config_invalid", `${path}: aliases are not taken, write it out`);
    },
    Pair: (_key, { key }) => {
      if (isScalar(key) && typeof key.value === "string") return;
      throw new VaultError("config_invalid", `${path}: a key must be text`);
    },
    // A team secret of digits must lose neither its zeros nor what a number has no room for.
    Scalar: (_key, node) => {
      if (typeof node.value === "number") node.value = node.source;
    },
  });
  return document.toJS();
}

/** Whether a file's settings include one that others must not read. */
export function holdsSecret(values: RawValues): boolean {
  return SERVE_OPTIONS.some((option) => option.secret && values[option.key] !== undefined);
}
