/**
 * Parts of YAML texts, for the targets that read YAML.
 *
 * @module
 */

import fc from "fast-check";
import { anyText, AWKWARD_TEXT } from "../mutations.ts";
import { PLANTED } from "../refusals.ts";

/** What YAML gives a meaning, and what its readers got wrong before. */
export const YAML_PIECES: readonly string[] = [
  ...AWKWARD_TEXT,
  "\n",
  "\n\n",
  "\n  ",
  "\n    ",
  "\n\t",
  "  ",
  "- ",
  "? ",
  ": ",
  ":\n",
  "&a ",
  "*a",
  "*a ",
  "<<: *a\n",
  "!!str ",
  "!!binary ",
  "!!set ",
  "!!float ",
  "!x ",
  "!<tag:yaml.org,2002:int> ",
  "|\n",
  ">-\n",
  "|2+\n",
  "---\n",
  "...\n",
  "%YAML 1.1\n---\n",
  "%TAG ! tag:x,2000:\n---\n",
  "#",
  " #",
  "{}",
  "[]",
  "{a: b}",
  "[a, b]",
  "''",
  '""',
  "'",
  '"\\x00"',
  '"\\ud800"',
  '"\\U0010ffff"',
  "~",
  "yes",
  ".inf",
  ".nan",
  "0o14",
  "+12",
  "12e03",
  "2001-12-14t21:59:43.10-05:00",
  "roles:",
  "tokens:",
  "generation: 1\n",
  PLANTED.userToken,
];

/** A text as a YAML scalar in one of its notations. Not every text can stand in every one; readers have to cope. */
export const scalar: fc.Arbitrary<string> = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,20}$/),
  anyText(30).map((text) => JSON.stringify(text)),
  anyText(20).map((text) => `'${text.replaceAll("'", "''")}'`),
  anyText(12),
  fc.constantFrom("1", "0", "-1", "5.0", "1e1", "0x0a", "007", "1e999", "true", "null", "~", "2026-03-20", "30/60s"),
  fc.constantFrom(...YAML_PIECES),
);

/**
 * The longest inputs take some 60 ms of the YAML library's time. No request waits for them: the files of a vault are read
 * in a thread of their own, the configuration before anything is served.
 */
export const YAML_LIMITS = { maxInputMs: 100 };
