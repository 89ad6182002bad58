/**
 * `.env` files of an installation that is taken over: they hold its team secret, so no refusal says what stands in them.
 *
 * @module
 */

import fc from "fast-check";
import { parseEnvFile } from "../../../server/maintenance/env_file.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { assertQuotesNothingOf, must, parseOrRefuse, PLANTED } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const PATH = "/opt/rune-vault/.env";
/** So many characters in a row that no refusal has by chance. */
const QUOTED_CHARS = 20;

const name = fc.constantFrom(
  "TEAM_SECRET",
  "RUNEVAULT_TEAM_SECRET",
  "export KEY",
  "_",
  "a1",
  "__proto__",
  "constructor",
);
const value = fc.oneof(
  fc.constantFrom(PLANTED.teamSecret, `"${PLANTED.apiKey}"`, "'a # b'", '"a', "", "x # said", "a=b"),
  anyText(20),
);
const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(name, fc.constantFrom("=", " = ", "\t="), value).map((parts) => parts.join("")) },
  { weight: 1, arbitrary: fc.constantFrom("", "# said", "  ", PLANTED.teamSecret) },
);
const file = fc.tuple(fc.array(line, { maxLength: 6 }), fc.constantFrom("\n", "\r\n"))
  .map(([lines, end]) => lines.map((one) => one + end).join(""));

/** Files. */
export const target: FuzzTarget = syncTarget(
  "env_files",
  "json",
  fc.oneof(
    { weight: 30, arbitrary: file },
    { weight: 100, arbitrary: mutatedText(file, [...AWKWARD_TEXT, "export ", "=", "\n"]) },
    { weight: 10, arbitrary: anyText() },
    { weight: 1, arbitrary: bulkText(70_000, ["=", "a=", "\n", '"', "a=1\n", " ", "#"]) },
  ),
  check,
);

function check(text: string): void {
  const read = parseOrRefuse(["invalid_argument"], () => {
    try {
      return parseEnvFile(PATH, text);
    } catch (thrown) {
      assertQuotesNothingOf(text, QUOTED_CHARS, "the refusal", String(thrown).replace(PATH, ""));
      throw thrown;
    }
  });
  for (const [key, value] of read ?? []) {
    must(/^[A-Za-z_][A-Za-z0-9_]*$/.test(key), `the name ${JSON.stringify(key)}`);
    must(text.includes(value) && !value.includes("\n"), `a value that does not stand in the file: ${value}`);
  }
}
