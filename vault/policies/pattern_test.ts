import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { comparePatterns, compilePattern } from "./pattern.ts";

const SEGMENTS = ["a", "b", "ab", "+", "", ".", "a.b"];
const PATHS = fc.array(fc.constantFrom(...SEGMENTS, "+", "*"), { minLength: 1, maxLength: 4 }).map((parts) =>
  parts.join("/")
);
const PATTERNS = fc.tuple(
  fc.array(fc.constantFrom(...SEGMENTS, "a+", "+b", "*"), { minLength: 1, maxLength: 4 }),
  fc.constantFrom("", "*", "/*"),
).map(([parts, end]) => parts.join("/") + end).filter((text) => !text.includes("+*"));
const WILDCARDS = PATTERNS.filter((text) => !compilePattern(text).isExact);

function compare(a: string, b: string): number {
  return comparePatterns(compilePattern(a), compilePattern(b));
}

function matches(pattern: string, path: string): boolean {
  return compilePattern(pattern).matches(path);
}

/** Character by character, without an expression: what may stand for the rest of a pattern at the rest of a path. */
function matchesByHand(pattern: string, path: string, isStart = true): boolean {
  if (pattern === "*") return true;
  if (pattern === "") return path === "";
  const isSegment = pattern[0] === "+" && isStart && (pattern.length === 1 || pattern[1] === "/");
  if (isSegment) {
    const end = path.indexOf("/");
    return matchesByHand(pattern.slice(1), end === -1 ? "" : path.slice(end), false);
  }
  return path !== "" && path[0] === pattern[0] && matchesByHand(pattern.slice(1), path.slice(1), pattern[0] === "/");
}

/** The five rules in words, one after the other; negative: `a` counts before `b`. */
function compareByHand(a: string, b: string): number {
  const facts = (text: string) => {
    const segments = text.split("/");
    const starts = segments.map((_, i) => segments.slice(0, i).join("/").length + (i === 0 ? 0 : 1));
    const pluses = starts.filter((_, i) => segments[i] === "+");
    const star = text.endsWith("*") ? [text.length - 1] : [];
    return { first: Math.min(...pluses, ...star), isPrefix: star.length, pluses: pluses.length };
  };
  const [one, other] = [facts(a), facts(b)];
  if (one.first !== other.first) return one.first < other.first ? 1 : -1;
  if (one.isPrefix !== other.isPrefix) return one.isPrefix ? 1 : -1;
  if (one.pluses !== other.pluses) return one.pluses > other.pluses ? 1 : -1;
  if (a.length !== b.length) return a.length < b.length ? 1 : -1;
  return a < b ? 1 : a > b ? -1 : 0;
}

Deno.test("a pattern without a wildcard stands for itself alone", () => {
  deepEqual(["a/b", "a/b/", "a", "a/bc", "A/b"].map((path) => matches("a/b", path)), [
    true,
    false,
    false,
    false,
    false,
  ]);
  for (const text of ["a/*/b", "a*b", "a/+b", "a+", "+a/b"]) {
    ok(compilePattern(text).isExact, text);
    ok(matches(text, text), text);
  }
  equal(matches("a/*/b", "a/x/b"), false);
  equal(matches("a/+b", "a/xb"), false);
});

Deno.test("a star at the end stands for anything, nothing included", () => {
  for (const path of ["a/", "a/b", "a/b/c", "a/+", "a/\n"]) ok(matches("a/*", path), path);
  for (const path of ["a", "b/a/", "", "xa/"]) equal(matches("a/*", path), false, path);
  for (const path of ["", "a", "a/b"]) ok(matches("*", path), path);
  ok(matches("a*", "ab/c"));
});

Deno.test("a plus stands for one segment, an empty one included, and for no more", () => {
  for (const path of ["a/x/b", "a//b", "a/+/b"]) ok(matches("a/+/b", path), path);
  for (const path of ["a/x/y/b", "a/b", "a/x/bc", "xa/x/b"]) equal(matches("a/+/b", path), false, path);
  ok(matches("a/+", "a/"), "LIST of the folder");
  ok(matches("+/b", "a/b"));
  deepEqual(["a/x/b/", "a/x/b/c/d", "a/x/b"].map((path) => matches("a/+/b/*", path)), [true, true, false]);
});

Deno.test("characters that mean something in an expression mean themselves in a pattern", () => {
  for (const text of ["a.b/+", "a|b/+", "(a)/+", "a[b]/+", "a$/+", "^a/+", "a\\d/+", "a?/+", "a{2}/+"]) {
    ok(matches(text, text.replace("+", "x")), text);
    equal(matches(text, "ab/x"), false, text);
  }
});

Deno.test("compilePattern() matches what the rules in words match", () => {
  fc.assert(
    fc.property(PATTERNS, PATHS, (pattern, path) => {
      equal(matches(pattern, path), matchesByHand(pattern, path));
    }),
    { numRuns: 5000 },
  );
});

Deno.test("comparePatterns() applies the five rules one after the other", () => {
  const inOrder: readonly (readonly [winner: string, loser: string])[] = [
    ["secret/a*", "secret/*"],
    ["secret/a/+", "secret/+/a"],
    ["secret/+", "secret/*"],
    ["a/+/b", "a/*"],
    ["a/+/b", "a/+/*"],
    ["a/+/b/c", "a/+/+/c"],
    ["a/+/bb", "a/+/b"],
    ["a/+/c", "a/+/b"],
    ["a/+/b/*", "a/+/*"],
    ["a*", "*"],
  ];
  for (const [winner, loser] of inOrder) {
    ok(compare(winner, loser) < 0, `${winner} before ${loser}`);
    ok(compare(loser, winner) > 0, `${winner} before ${loser}`);
  }
});

Deno.test("comparePatterns() orders as the rules in words do, and leaves no two patterns equal", () => {
  fc.assert(
    fc.property(WILDCARDS, WILDCARDS, (a, b) => {
      equal(Math.sign(compare(a, b)), compareByHand(a, b), `${a} and ${b}`);
      equal(compare(a, b) === 0, a === b);
    }),
    { numRuns: 5000 },
  );
});
