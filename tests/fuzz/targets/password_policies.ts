/**
 * Password policies: what one says is what its passwords are.
 *
 * @module
 */

import fc from "fast-check";
import { systemRandom } from "../../../server/clock.ts";
import { parsePasswordPolicy, passwordBy } from "../../../vault/database/password_policies.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const rule = fc.tuple(fc.constantFrom("abc", "ABCDEF", "0123456789", "-_!", "é💥"), fc.integer({ min: -1, max: 12 }))
  .map(([charset, min]) => `rule "charset" {\n  charset = "${charset}"\n  min-chars = ${min}\n}\n`);
const valid = fc.tuple(fc.integer({ min: 0, max: 110 }), fc.array(rule, { maxLength: 4 }))
  .map(([length, rules]) => `length = ${length}\n${rules.join("")}`);
const PIECES = [
  ...AWKWARD_TEXT,
  "length",
  "rule",
  '"charset"',
  "charset = ",
  "min-chars = ",
  "{",
  "}",
  "<<EOT\n",
  "1e9",
];
const text = fc.oneof(
  { weight: 100, arbitrary: mutatedText(valid, PIECES) },
  { weight: 20, arbitrary: anyText() },
  { weight: 1, arbitrary: bulkText(100_000, ["{", "length = 9\n", 'rule "charset" {', '"', "\\"]) },
);

/** Password policies. */
export const target: FuzzTarget = syncTarget("password_policies", "json", text, check);

function check(text: string): void {
  const policy = parseOrRefuse(["invalid_argument"], () => parsePasswordPolicy(text));
  if (policy === undefined) return;
  const password = [...passwordBy(policy, systemRandom)];
  must(password.length === policy.length, "another length than it says");
  for (const { charset, min } of policy.rules) {
    const characters = new Set(charset);
    must(password.filter((one) => characters.has(one)).length >= min, "too few characters of a set");
  }
  must(!/['"`\\]/.test(password.join("")), "a password that ends a text in a statement");
}
