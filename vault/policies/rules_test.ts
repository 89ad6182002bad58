import { deepEqual, equal, match, ok } from "node:assert/strict";
import fc from "fast-check";
import { comparePatterns, compilePattern } from "./pattern.ts";
import { CAPABILITIES, parsePolicy } from "./policy.ts";
import { Rules } from "./rules.ts";
import type { TemplateSubject } from "./template.ts";
import { ownNow } from "../../tests/own_time.ts";

const { read, update, list, deny } = CAPABILITIES;
const NOBODY = { view: null, accessorOf: () => undefined };

/** Policies `p0`, `p1`, …, each a text of stanzas. */
function rulesOf(...texts: string[]): Rules {
  return new Rules(texts.map((text, i) => [`p${i}`, parsePolicy(text)] as const), NOBODY);
}

function grant(path: string, ...capabilities: string[]): string {
  return `path "${path}" { capabilities = [${capabilities.map((one) => `"${one}"`).join(", ")}] }\n`;
}

function found(rules: Rules, path: string, isList = false): number | undefined {
  return rules.find(path, isList)?.capabilities;
}

Deno.test("an exact rule wins alone, however much a pattern grants or denies", () => {
  const rules = rulesOf(
    grant("a/*", "read", "update") + grant("a/b", "read") + grant("c/*", "deny") + grant("c/d", "read"),
  );
  deepEqual([found(rules, "a/b"), found(rules, "a/c"), found(rules, "c/d"), found(rules, "c/e")], [
    read,
    read | update,
    read,
    deny,
  ]);
});

Deno.test("of several patterns the first counts alone: there is no union", () => {
  const rules = rulesOf(grant("secret/*", "read", "update"), grant("secret/a*", "read"), grant("+/ab", "list"));
  deepEqual([found(rules, "secret/ab"), found(rules, "secret/b"), found(rules, "x/ab"), found(rules, "x/y")], [
    read,
    read | update,
    list,
    undefined,
  ]);
});

Deno.test("stanzas of one pattern are united over policies and within one, and a denial leaves nothing else", () => {
  equal(found(rulesOf(grant("a/*", "read"), grant("a/*", "update")), "a/b"), read | update);
  equal(found(rulesOf(grant("a/*", "read") + grant("a/*", "update")), "a/b"), read | update);
  for (const texts of [[grant("a", "deny"), grant("a", "read")], [grant("a", "read"), grant("a", "deny")]]) {
    equal(found(rulesOf(...texts, grant("a", "list")), "a"), deny);
  }
});

Deno.test("the wrapping TTLs of united stanzas are the narrowest of them", () => {
  const [one, two] = [
    `path "a" { min_wrapping_ttl = 10\n max_wrapping_ttl = 100 }`,
    `path "a" { min_wrapping_ttl = 20\n max_wrapping_ttl = 200 }`,
  ];
  for (const texts of [[one, two], [two, one], [one, grant("a", "read"), two]]) {
    const { minWrappingTtl, maxWrappingTtl } = rulesOf(...texts).find("a", false)!;
    deepEqual([minWrappingTtl, maxWrappingTtl], [20, 100]);
  }
});

Deno.test("a list is found with the slash at its end, then without", () => {
  const rules = rulesOf(grant("a/", "list") + grant("a", "read") + grant("b", "list") + grant("c/*", "list"));
  deepEqual(
    [found(rules, "a/", true), found(rules, "b/", true), found(rules, "c/", true), found(rules, "c/d/", true)],
    [
      list,
      list,
      list,
      list,
    ],
  );
  equal(found(rules, "a/"), list);
  equal(found(rules, "b/"), undefined, "nothing but a list is asked without its slash");
});

Deno.test("a denial of a list holds with the slash and without, exact or not", () => {
  equal(found(rulesOf(grant("a/", "list") + grant("a", "deny")), "a/", true), deny);
  equal(found(rulesOf(grant("a", "list") + grant("a/", "deny")), "a/", true), deny);
  equal(found(rulesOf(grant("s/*", "list") + grant("s/+", "deny")), "s/x/", true), deny);
  equal(found(rulesOf(grant("s/+", "list") + grant("s/+/", "deny")), "s/x/", true), deny);
});

Deno.test("a rule names the stanzas that it was made of, and stanzas without a value are named apart", () => {
  const rules = rulesOf(grant("a", "read"), `\n${grant("x/{{identity.entity.id}}", "read")}${grant("a", "list")}`);
  deepEqual(rules.find("a", false)!.origins, [
    { policy: "p0", path: "a", line: 1 },
    { policy: "p1", path: "a", line: 3 },
  ]);
  deepEqual(rules.dropped, [{
    policy: "p1",
    path: "x/{{identity.entity.id}}",
    line: 2,
    reason: "{{identity.entity.id}} has no value",
  }]);
});

Deno.test("find() gives what a search through every pattern gives", () => {
  const segment = fc.constantFrom("a", "b", "+");
  const pattern = fc.tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.constantFrom("", "/*", "a*")).map((
    [parts, end],
  ) => parts.join("/") + end).filter((text) => !text.includes("+*"));
  const path = fc.array(fc.constantFrom("a", "b", "ab"), { minLength: 1, maxLength: 4 }).map((parts) =>
    parts.join("/")
  );
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 8 }), path, (patterns, asked) => {
      const rules = rulesOf(patterns.map((text) => grant(text, "read")).join(""));
      const matching = patterns.filter((text) => compilePattern(text).matches(asked));
      const exact = matching.find((text) => compilePattern(text).isExact);
      const [best] = matching.map(compilePattern).toSorted(comparePatterns);
      equal(rules.find(asked, false)?.pattern.text, exact ?? best?.text);
    }),
    { numRuns: 2000 },
  );
});

for (
  const text of [
    `path "a" { capabilities = ["deny"]\n capabilities = ["read"] }`,
    `{"path":{"a":{"capabilities":["deny"]},"a":{"capabilities":["read"]}}}`,
    `{"path":{"a":{"capabilities":["deny"]}},"path":{"a":{"capabilities":["read"]}}}`,
    `{"path":{"a":{"capabilities":["deny"],"capabilities":["read"]}}}`,
  ]
) {
  Deno.test(`a key that stands twice loses no denial: ${text.replaceAll("\n", " ")}`, () => {
    let rules: Rules;
    try {
      rules = new Rules([["p", parsePolicy(text)]], NOBODY);
    } catch {
      return; // a refusal is right too
    }
    equal(rules.find("a", false)!.capabilities, CAPABILITIES.deny);
  });
}

Deno.test("a denied parameter that stands twice loses no value", () => {
  let stanza;
  try {
    stanza = parsePolicy(`path "a" { denied_parameters = { "p" = ["x"]\n "P" = ["y"] } }`).stanzas[0]!;
  } catch {
    return;
  }
  deepEqual(stanza.denied!.get("p"), ["x", "y"]);
});

const SOMEBODY = {
  view: {
    id: "e1",
    name: "alice",
    metadata: {},
    alias: () => undefined,
    groups: () => [{ id: "g1", name: "team", metadata: {}, metadataBy: {} }],
  },
  accessorOf: () => undefined,
} as unknown as TemplateSubject;

for (
  const path of ["a/b#", "a/#/*", "+/a/+/#/*", "a/{{identity.entity.id}}/#", "{{identity.groups.names.team.id}}/#"]
) {
  Deno.test(`rules of many large policies (${path}) are built and asked without a pause`, () => {
    const text = Array.from({ length: 1000 }, (_, i) => grant(path.replace("#", `n${i}`), "read")).join("");
    const isTemplated = path.includes("{{");
    const policies = Array.from({ length: isTemplated ? 2 : 10 }, (_, i) => [`p${i}`, parsePolicy(text)] as const);
    // The least of a few: the machine may be busy with something else in any one of them.
    const times = Array.from({ length: 8 }, () => {
      const start = ownNow();
      const rules = new Rules(policies, SOMEBODY);
      rules.find("a/x/y/z", false);
      rules.find("a/x/", true);
      return ownNow() - start;
    });
    ok(Math.min(...times) < 5, `${Math.min(...times).toFixed(1)} ms`);
  });
}

Deno.test("a caller with more paths than can be asked in time is denied everything, and told why", () => {
  const policy = parsePolicy(grant("a/*", "read").repeat(2000));
  const rules = new Rules(Array.from({ length: 6 }, (_, i) => [`p${i}`, policy] as const), NOBODY);
  equal(found(rules, "a/b"), deny);
  match(rules.dropped[0]!.reason, /more than 10000 paths/);
  const templated = parsePolicy(grant("a/{{identity.entity.id}}", "read").repeat(2000));
  const many = new Rules([["p", templated], ["q", templated]], SOMEBODY);
  equal(found(many, "a/e1"), deny);
});
