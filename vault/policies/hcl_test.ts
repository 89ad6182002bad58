import { deepEqual, equal, match, throws } from "node:assert/strict";
import { HclBody, HclProblem, type HclValue, parseHcl } from "./hcl.ts";
import { jsonToHcl } from "./json_policy.ts";

/** A body as plain lists of keys and values. */
function plain(value: HclValue): unknown {
  if (value instanceof HclBody) return value.items.map(({ keys, value }) => [keys, plain(value)]);
  return Array.isArray(value) ? value.map(plain) : value;
}

function read(text: string): unknown {
  return plain(parseHcl(text));
}

function problemOf(parse: () => unknown): HclProblem {
  let found: unknown;
  throws(parse, (error: unknown) => (found = error) instanceof HclProblem);
  return found as HclProblem;
}

Deno.test("parseHcl() reads blocks with labels, assignments, lists, objects and every plain value", () => {
  deepEqual(read(`path "a" "b" { x = 1 }\nname = "n"`), [[["path", "a", "b"], [[["x"], 1]]], [["name"], "n"]]);
  deepEqual(read(`a = true\nb = false\nc = -1.5\nd = 0`), [[["a"], true], [["b"], false], [["c"], -1.5], [["d"], 0]]);
  deepEqual(read(`a = []\nb = ["x", 2, ["y"],\n]`), [[["a"], []], [["b"], ["x", 2, ["y"]]]]);
  deepEqual(read(`a = { "x" = [], y : 1, }`), [[["a"], [[["x"], []], [["y"], 1]]]]);
  deepEqual(read(""), []);
});

Deno.test("parseHcl() keeps a key that stands twice, and keys that a plain object would treat specially", () => {
  deepEqual(read(`a = 1\na = 2\n__proto__ = 3`), [[["a"], 1], [["a"], 2], [["__proto__"], 3]]);
});

Deno.test("parseHcl() passes over comments of all three kinds, and takes none for one inside a string", () => {
  deepEqual(read(`# one\n// two\n/* three\n} */ a = 1 # four\nb = /* five */ 2`), [[["a"], 1], [["b"], 2]]);
  deepEqual(read(`a = "# // /* text"`), [[["a"], "# // /* text"]]);
});

Deno.test("parseHcl() reads escapes and lines that end as on Windows", () => {
  deepEqual(read(String.raw`a = "\"\\\n\t\r\u00e9"`), [[["a"], '"\\\n\t\ré']]);
  deepEqual(read(`a = 1\r\nb {\r\n}\r\n`), [[["a"], 1], [["b"], []]]);
});

Deno.test("parseHcl() reads heredocs, indented ones too, up to their own mark", () => {
  deepEqual(read("a = <<EOT\n  x\nEOTX\nEOT\nb = 1"), [[["a"], "  x\nEOTX\n"], [["b"], 1]]);
  deepEqual(read("a = <<-EOT\n    x\n      y\n    EOT\n"), [[["a"], "x\n  y\n"]]);
});

Deno.test("parseHcl() names the line and the column where a text stops being HCL", () => {
  const bad: readonly (readonly [text: string, line: number, column: number, reason: RegExp])[] = [
    [`a = 1\n  ?`, 2, 3, /expected a name/],
    [`a = 1\nbb ?`, 2, 4, /expected '=' or '\{'/],
    [`a = ?`, 1, 5, /expected a value/],
    [`a = nil`, 1, 8, /expected a value/],
    [`a = [1 2]`, 1, 8, /expected ',' or ']'/],
    [`a {\n b = 1\n`, 3, 1, /a block isn't closed/],
    [`a = "x\n"`, 1, 7, /a string isn't closed/],
    [String.raw`a = "\q"`, 1, 7, /a bad escape/],
    [String.raw`a = "\u12G4"`, 1, 7, /a bad escape/],
    [`/* x`, 1, 1, /a comment isn't closed/],
    [`a = <<EOT\nx\n`, 1, 5, /a heredoc isn't closed/],
    [`a = << EOT\nx\nEOT\n`, 1, 5, /a bad heredoc/],
    [`}`, 1, 1, /expected a name/],
  ];
  for (const [text, line, column, reason] of bad) {
    const problem = problemOf(() => parseHcl(text));
    deepEqual([problem.line, problem.column], [line, column], text);
    match(problem.message, reason, text);
  }
});

Deno.test("parseHcl() and jsonToHcl() read 16 values in each other and refuse 17", () => {
  const lists = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  equal(parseHcl(`a = ${lists(16)}`).items.length, 1);
  match(problemOf(() => parseHcl(`a = ${lists(17)}`)).message, /nested too deep/);
  jsonToHcl(`{"a":${lists(15)}}`);
  match(problemOf(() => jsonToHcl(`{"a":${lists(16)}}`)).message, /nested too deep/);
  match(problemOf(() => jsonToHcl(`{"a":`.repeat(50_000))).message, /nested too deep/);
});

Deno.test("jsonToHcl() gives the shape that the same policy has in HCL", () => {
  const json = `{"path":{"a/*":{"capabilities":["read"],"required_parameters":["x"]},"b":{}},"name":"n"}`;
  const hcl = `path { "a/*" { capabilities = ["read"]\n required_parameters = ["x"] }\n "b" {} }\nname = "n"`;
  deepEqual(plain(jsonToHcl(json)), read(hcl));
  deepEqual(
    plain(jsonToHcl(`{"path":[{"a":{}},{"b":{}}]}`)),
    read(`path { "a" {} }\npath { "b" {} }`),
    "a list of objects",
  );
});

Deno.test("jsonToHcl() refuses what is no object, what is no JSON, and null", () => {
  for (const text of ["[]", "1", '"x"', "null"]) match(problemOf(() => jsonToHcl(text)).message, /expected an object/);
  for (const text of ["{", '{"a":1} x', "{'a':1}"]) match(problemOf(() => jsonToHcl(text)).message, /not valid JSON/);
  match(problemOf(() => jsonToHcl(`{"path":{"a":null}}`)).message, /null has no meaning/);
  equal(Object.hasOwn(Object.prototype, "capabilities"), false);
  deepEqual(plain(jsonToHcl(`{"__proto__":{"capabilities":1}}`)), [[["__proto__"], [[["capabilities"], 1]]]]);
  equal(({} as Record<string, unknown>)["capabilities"], undefined);
});
