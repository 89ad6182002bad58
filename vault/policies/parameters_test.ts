import { equal, match } from "node:assert/strict";
import { refusalOf } from "./parameters.ts";
import { parsePolicy } from "./policy.ts";
import { Rules } from "./rules.ts";

/** As a number too long for a double comes from the wire. */
class WrittenNumber {
  constructor(readonly text: string) {}
}

const NOBODY = { view: null, accessorOf: () => undefined };

/** Why parameters are refused by stanzas that all speak of the path `a`. */
function refusal(stanzas: readonly string[], sent: Record<string, unknown>): string | undefined {
  const policies = stanzas.map((body, i) => [`p${i}`, parsePolicy(`path "a" { ${body} }`)] as const);
  return refusalOf(new Rules(policies, NOBODY).find("a", false)!, new Map(Object.entries(sent)));
}

function allows(body: string | readonly string[], sent: Record<string, unknown>): boolean {
  return refusal(typeof body === "string" ? [body] : body, sent) === undefined;
}

function check(body: string | readonly string[], rows: readonly (readonly [Record<string, unknown>, boolean])[]): void {
  for (const [sent, expected] of rows) equal(allows(body, sent), expected, `${body} ${JSON.stringify(sent)}`);
}

Deno.test("without rules every parameter is allowed", () => {
  check("", [[{}, true], [{ x: 1 }, true]]);
  check("allowed_parameters = {}", [[{ x: 1 }, true]]);
  check("denied_parameters = {}", [[{ x: 1 }, true]]);
});

Deno.test("required parameters must be there, whatever their value and case", () => {
  check(`required_parameters = ["TTL", "b"]`, [
    [{}, false],
    [{ ttl: "1" }, false],
    [{ Ttl: "1", b: "" }, true],
    [{ ttl: "1", b: "", c: 1 }, true],
  ]);
});

Deno.test("denied parameters are refused: all of them, any value of one, or some values", () => {
  check(`denied_parameters = { "*" = [] }`, [[{}, true], [{ x: 1 }, false]]);
  check(`denied_parameters = { "p" = [] }`, [[{ x: 1 }, true], [{ p: 1 }, false], [{ P: 1 }, false]]);
  check(`denied_parameters = { "P" = ["admin", "super*"] }`, [
    [{ p: "reader" }, true],
    [{ p: "admin" }, false],
    [{ p: "superuser" }, false],
    [{ x: "admin" }, true],
  ]);
});

Deno.test("allowed parameters are the only ones: by name, by value, or all", () => {
  check(`allowed_parameters = { "*" = [] }`, [[{ x: 1 }, true]]);
  check(`allowed_parameters = { "metadata" = [] }`, [
    [{}, true],
    [{ metadata: new Map() }, true],
    [{ Metadata: "x" }, true],
    [{ metadata: "x", policies: "y" }, false],
    [{ policies: "y" }, false],
  ]);
  check(`allowed_parameters = { "ttl" = ["1h", "2h"], "*" = [] }`, [
    [{ ttl: "1h", x: 1 }, true],
    [{ ttl: "3h" }, false],
  ]);
});

Deno.test("what is denied stays denied where it is allowed as well", () => {
  check(`allowed_parameters = { "*" = [] }\ndenied_parameters = { "p" = ["x"] }`, [
    [{ p: "y" }, true],
    [{ p: "x" }, false],
  ]);
});

Deno.test("a star at the ends of a rule's text stands for anything, in its middle for itself", () => {
  const rows: readonly (readonly [rule: string, value: string, isAllowed: boolean])[] = [
    ["a*", "a", true],
    ["a*", "ab", true],
    ["a*", "ba", false],
    ["*a", "ba", true],
    ["*a", "ab", false],
    ["*a*", "bab", true],
    ["*a*", "b", false],
    ["a*b", "axb", false],
    ["a*b", "a*b", true],
    ["*", "anything", true],
    ["a", "A", false],
    ["", "", true],
    ["", "a", false],
  ];
  for (const [rule, value, isAllowed] of rows) {
    equal(allows(`allowed_parameters = { "x" = ["${rule}"] }`, { x: value }), isAllowed, `${rule} and ${value}`);
  }
});

Deno.test("values that aren't text are compared by their text, lists one by one, and objects never", () => {
  check(`allowed_parameters = { "x" = ["3600", "12345678901234567890"] }`, [
    [{ x: 3600 }, true],
    [{ x: 3601 }, false],
    [{ x: new WrittenNumber("12345678901234567890") }, true],
    [{ x: new WrittenNumber("12345678901234567891") }, false],
  ]);
  check(`allowed_parameters = { "x" = [true] }`, [[{ x: true }, true], [{ x: "true" }, true], [{ x: false }, false]]);
  check(`allowed_parameters = { "x" = [["a", "b*"]] }`, [
    [{ x: ["a", "bc"] }, true],
    [{ x: ["a"] }, false],
    [{ x: ["a", "b", "c"] }, false],
    [{ x: "a" }, false],
  ]);
  check(`allowed_parameters = { "x" = ["*"] }`, [[{ x: ["a"] }, false], [{ x: new Map([["text", "a"]]) }, false], [
    { x: null },
    false,
  ]]);
  check(`allowed_parameters = { "x" = [5] }`, [[{ x: 5 }, false], [{ x: "5" }, false]]);
});

Deno.test("names that every object has are no parameters that were spoken of", () => {
  check(`allowed_parameters = { "a" = [] }`, [[{ constructor: 1 }, false], [{ ["__proto__x"]: 1 }, false]]);
  equal(allows(`required_parameters = ["constructor"]`, {}), false);
});

Deno.test("stanzas of one path are united, and one without rules lifts no other's", () => {
  const [a, b] = [`allowed_parameters = { "x" = ["1"], "y" = [] }`, `allowed_parameters = { "x" = ["2"], "z" = [] }`];
  check([a, b], [[{ x: "1" }, true], [{ x: "2", y: 1, z: 1 }, true], [{ x: "3" }, false], [{ w: 1 }, false]]);
  check([a, `allowed_parameters = { "x" = [] }`], [[{ x: "anything" }, true], [{ z: 1 }, false]]);
  check([a, ""], [[{ x: "3" }, false]]);
  check(["", a], [[{ x: "3" }, false]]);
  check([`denied_parameters = { "x" = ["1"] }`, `denied_parameters = { "x" = ["2"] }`], [
    [{ x: "1" }, false],
    [{ x: "2" }, false],
    [{ x: "3" }, true],
  ]);
  check([`denied_parameters = { "x" = ["1"] }`, `denied_parameters = { "x" = [] }`], [[{ x: "3" }, false]]);
  check([`required_parameters = ["x"]`, `required_parameters = ["y"]`], [[{ x: 1 }, false], [{ x: 1, y: 1 }, true]]);
});

Deno.test("a refusal says which parameter, and never the value that was sent", () => {
  const said = refusal([`allowed_parameters = { "password" = ["x"] }`], { password: "hunter2" })!;
  match(said, /the value of the parameter "password"/);
  equal(said.includes("hunter2"), false);
  match(refusal([`denied_parameters = { "*" = [] }`], { a: 1 })!, /all parameters are denied/);
  match(refusal([`denied_parameters = { "a" = [] }`], { a: 1 })!, /the parameter "a" is denied/);
  match(refusal([`required_parameters = ["a"]`], {})!, /the required parameter "a" is missing/);
});
