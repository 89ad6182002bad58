/**
 * Patterns of paths: what they match, and which of several counts.
 *
 * @module
 */

/** A pattern, ready to match. */
export interface PathPattern {
  readonly text: string;
  /** Whether it stands for one path alone. */
  readonly isExact: boolean;
  matches(path: string): boolean;
}

/** Compiles a pattern whose templates are rendered: a `*` at its end, and `+` as whole segments, stand for anything. */
export function compilePattern(text: string): PathPattern {
  const isPrefix = text.endsWith("*");
  const bare = isPrefix ? text.slice(0, -1) : text;
  const hasPlus = bare.split("/").includes("+");
  if (!isPrefix && !hasPlus) return { text, isExact: true, matches: (path) => path === text };
  if (!hasPlus) return { text, isExact: false, matches: (path) => path.startsWith(bare) };
  const source = bare.split("/").map((segment) => segment === "+" ? "[^/]*" : escapeRegExp(segment)).join("/");
  const pattern = new RegExp(`^${source}${isPrefix ? ".*" : ""}$`, "s");
  return { text, isExact: false, matches: (path) => pattern.test(path) };
}

/**
 * Orders patterns, the one that counts first.
 *
 * Between two, the loser is the one whose first wildcard is earlier; else that ends in `*`; else with more `+`; else the
 * shorter; else the one that sorts first.
 */
export function comparePatterns(a: string, b: string): number {
  return firstWildcard(b) - firstWildcard(a) ||
    Number(a.endsWith("*")) - Number(b.endsWith("*")) ||
    plusCount(a) - plusCount(b) ||
    b.length - a.length ||
    (a < b ? 1 : a > b ? -1 : 0);
}

function firstWildcard(text: string): number {
  const plus = text.split("/").indexOf("+") === -1 ? -1 : text.search(/(?:^|\/)\+(?:\/|$)/);
  const atPlus = plus === -1 ? Infinity : text[plus] === "/" ? plus + 1 : plus;
  return Math.min(atPlus, text.endsWith("*") ? text.length - 1 : Infinity);
}

function plusCount(text: string): number {
  return text.split("/").filter((segment) => segment === "+" || segment === "+*").length;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
