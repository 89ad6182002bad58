/**
 * Whether a command printed what a page says, though dates, tokens and keys differ from run to run.
 *
 * Values of such kinds count as equal; the page's own value is remembered for the one that was printed, so that a later
 * command of the page may repeat it. `…` stands for anything within a line, and alone on a line for any lines.
 *
 * @module
 */

/** What differs from run to run. The first that matches at a place is taken, so the longer ones come first. */
const VARYING: readonly (readonly [kind: string, pattern: string])[] = [
  ["jwt", "eyJ[\\w-]+(?:\\.[\\w-]*){0,2}"],
  ["token", "(?:evt|hvs|opr|hvb)[_.][\\w-]{16,}"],
  ["sha256", "(?:[0-9A-F]{2}:){31}[0-9A-F]{2}"],
  ["uuid", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"],
  ["moment", "\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d(?::\\d\\d)?(?:\\.\\d+)?(?:Z|[+-]\\d\\d:?\\d\\d)?"],
  ["day", "\\d{4}-\\d\\d-\\d\\d"],
  ["epoch", "\\b1[789]\\d{8}\\b"],
  ["size", "\\b\\d+(?:\\.\\d+)? ?[kKMG]i?B\\b"],
  ["span", "\\b\\d+(?:\\.\\d+)? ?(?:ms|µs|s|seconds?|minutes?)\\b"],
  ["process", "(?<=\\bpid[= ])\\d+"],
  ["hex", "(?<![A-Za-z0-9])(?=[0-9a-f]*\\d)[0-9a-f]{8,}(?![A-Za-z0-9])"],
  ["base64", "[\\w+/]{20,}={1,2}|(?<![\\w./-])(?=[\\w-]*\\d)(?=[\\w-]*[A-Z])[\\w-]{22,}"],
];
const PATTERN = new RegExp(VARYING.map(([, pattern]) => `(${pattern})`).join("|"), "g");

/** Stands for what a page doesn't say. */
export const ANYTHING = "…";

/** A page's values, and what stood in their place in this run. */
export type Replacements = Map<string, string>;

/** Puts the values of this run into a command of the page. */
export function inThisRun(command: string, values: Replacements): string {
  let text = command;
  for (const [shown, actual] of values) text = text.replaceAll(shown, actual);
  return text;
}

/** Whether these lines are what the page shows; if so, remembers the page's values in `values`. */
export function isSame(shown: readonly string[], actual: readonly string[], values: Replacements): boolean {
  const found: Replacements = new Map();
  if (!sameLines(shown, actual, found)) return false;
  for (const [page, here] of found) values.set(page, here);
  return true;
}

/** A text with each varying value replaced by the name of its kind, and blanks of tables made one width. */
export function withoutVarying(text: string): string {
  return text.trimEnd().replace(PATTERN, (...parts) => `<${kindOf(parts)}>`).replace(/ {2,}/g, "  ");
}

function kindOf(parts: readonly unknown[]): string {
  return VARYING[parts.slice(1).findIndex((group) => group !== undefined)]![0];
}

function sameLines(shown: readonly string[], actual: readonly string[], found: Replacements): boolean {
  if (shown.length === 0) return actual.length === 0;
  if (shown[0]!.trim() === ANYTHING) {
    for (let skip = 0; skip <= actual.length; skip++) {
      if (sameLines(shown.slice(1), actual.slice(skip), found)) return true;
    }
    return false;
  }
  return actual.length > 0 && sameLine(shown[0]!, actual[0]!, found) &&
    sameLines(shown.slice(1), actual.slice(1), found);
}

function sameLine(shown: string, actual: string, found: Replacements): boolean {
  const parts = withoutVarying(shown).split(ANYTHING).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!new RegExp(`^${parts.join(".*")}$`).test(withoutVarying(actual))) return false;
  if (parts.length > 1) return true;
  const here = actual.match(PATTERN) ?? [];
  (shown.match(PATTERN) ?? []).forEach((value, i) => found.set(value, here[i]!));
  return true;
}
