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
  /** Whether a `*` ends it. */
  readonly isPrefix: boolean;
  /** The index of the first character that stands for others; Infinity where none does. */
  readonly firstWildcard: number;
  readonly plusCount: number;
  matches(path: string): boolean;
}

/** Compiles a pattern whose templates are rendered: a `*` at its end, and `+` as whole segments, stand for anything. */
export function compilePattern(text: string): PathPattern {
  const isPrefix = text.endsWith("*");
  const bare = isPrefix ? text.slice(0, -1) : text;
  const segments = text.includes("+") ? bare.split("/") : [];
  const hasPlus = segments.includes("+");
  return {
    text,
    isExact: !isPrefix && !hasPlus,
    isPrefix,
    firstWildcard: firstWildcard(text, isPrefix),
    plusCount: text.includes("+") ? plusCount(text) : 0,
    matches: hasPlus
      ? (path) => matchesSegments(segments, isPrefix, path)
      : isPrefix
      ? (path) => path.startsWith(bare)
      : (path) => path === text,
  };
}

/** By hand, for a caller may have thousands of patterns, and expressions would have to be compiled first. */
function matchesSegments(segments: readonly string[], isPrefix: boolean, path: string): boolean {
  let at = 0;
  const last = segments.length - 1;
  for (let i = 0; i < last; i++) {
    const end = path.indexOf("/", at);
    if (end === -1) return false;
    const segment = segments[i]!;
    if (segment !== "+" && (end - at !== segment.length || !path.startsWith(segment, at))) return false;
    at = end + 1;
  }
  const segment = segments[last]!;
  if (segment === "+") return isPrefix || !path.includes("/", at);
  return path.startsWith(segment, at) && (isPrefix || path.length - at === segment.length);
}

/**
 * Orders patterns, the one that counts first.
 *
 * Between two, the loser is the one whose first wildcard is earlier; else that ends in `*`; else with more `+`; else the
 * shorter; else the one that sorts first.
 */
export function comparePatterns(a: PathPattern, b: PathPattern): number {
  if (a.firstWildcard !== b.firstWildcard) return b.firstWildcard - a.firstWildcard;
  return Number(a.isPrefix) - Number(b.isPrefix) ||
    a.plusCount - b.plusCount ||
    b.text.length - a.text.length ||
    (a.text < b.text ? 1 : a.text > b.text ? -1 : 0);
}

function firstWildcard(text: string, isPrefix: boolean): number {
  const plus = text.includes("+") ? text.search(/(?:^|\/)\+(?:\/|$)/) : -1;
  const atPlus = plus === -1 ? Infinity : text[plus] === "/" ? plus + 1 : plus;
  return Math.min(atPlus, isPrefix ? text.length - 1 : Infinity);
}

function plusCount(text: string): number {
  return text.split("/").filter((segment) => segment === "+" || segment === "+*").length;
}
