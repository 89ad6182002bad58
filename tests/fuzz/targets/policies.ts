/**
 * Policies, HCL and JSON, and what they say of a path.
 *
 * @module
 */

import fc from "fast-check";
import { compilePattern } from "../../../vault/policies/pattern.ts";
import { parsePolicy } from "../../../vault/policies/policy.ts";
import { Rules } from "../../../vault/policies/rules.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

interface Input {
  readonly text: string;
  readonly path: string;
}

const segment = fc.constantFrom(
  "a",
  "b",
  "secret",
  "+",
  "*",
  "",
  "{{identity.entity.id}}",
  "{{identity.entity.name}}",
  "ü",
);
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const pattern = fc.tuple(path, fc.constantFrom("", "*", "/*", "/+")).map(([start, end]) => start + end);
const capabilities = fc.subarray(["create", "read", "update", "patch", "delete", "list", "sudo", "deny"]);
const parameters = fc.constantFrom(
  "",
  'allowed_parameters = { "metadata" = [] }',
  'denied_parameters = { "a" = ["x*", true, 3] }',
  'required_parameters = ["ttl"]',
  'min_wrapping_ttl = "60s"',
  "comment = <<EOT\n  any text\nEOT\n",
);
const hclStanza = fc.tuple(pattern, capabilities, parameters).map(([where, may, more]) =>
  `# a comment\npath "${where}" {\n  capabilities = [${may.map((one) => `"${one}"`).join(", ")}]\n  ${more}\n}\n`
);
const hcl = fc.array(hclStanza, { maxLength: 3 }).map((stanzas) => stanzas.join(""));
const json = fc.array(fc.tuple(pattern, capabilities), { maxLength: 3 }).map((stanzas) =>
  JSON.stringify({ path: Object.fromEntries(stanzas.map(([where, may]) => [where, { capabilities: may }])) })
);
const PIECES = [
  ...AWKWARD_TEXT,
  'path "',
  "{{",
  "}}",
  "<<EOT\n",
  "EOT",
  "/*",
  "*/",
  "//",
  "[",
  "]",
  "{",
  "}",
  '\\"',
  "\\u00",
];
const text = fc.oneof(
  { weight: 80, arbitrary: mutatedText(hcl, PIECES) },
  { weight: 40, arbitrary: mutatedText(json, PIECES) },
  { weight: 20, arbitrary: anyText() },
  {
    weight: 1,
    arbitrary: bulkText(131_072, ["{", "[", "(", '"', "\\", "/*", "# ", "\n", 'path "a" {', "<<A\n", '{"a":', "{{"]),
  },
);

/** Policies. */
export const target: FuzzTarget = syncTarget("policies", "json", fc.record({ text, path }), check);

const SUBJECT = { view: null, accessorOf: () => undefined };

function check({ text, path }: Input): void {
  const policy = parseOrRefuse(["invalid_argument"], () => parsePolicy(text));
  if (policy === undefined) return;
  const rules = new Rules([["p", policy]], SUBJECT);
  const rule = rules.find(path, false);
  if (rule !== undefined) must(matchesByHand(rule.pattern.text, path), `${rule.pattern.text} was taken for ${path}`);
  const others = rules.all().filter((one) => matchesByHand(one.pattern.text, path));
  must(rule !== undefined || others.length === 0, `no rule for ${path}, which ${others[0]?.pattern.text} matches`);
  for (const { pattern } of rules.all()) {
    must(!pattern.text.includes("{{"), "a template was left in a pattern");
    must(
      compilePattern(pattern.text).matches(path) === matchesByHand(pattern.text, path),
      `${pattern.text} and ${path}`,
    );
  }
}

/** The rule in words, segment by segment. */
function matchesByHand(pattern: string, path: string): boolean {
  const isPrefix = pattern.endsWith("*");
  const [wanted, given] = [(isPrefix ? pattern.slice(0, -1) : pattern).split("/"), path.split("/")];
  if (isPrefix ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((segment, i) => {
    if (isPrefix && i === wanted.length - 1) return segment === "+" || given.slice(i).join("/").startsWith(segment);
    return segment === "+" || segment === given[i];
  });
}
