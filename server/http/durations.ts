/**
 * Durations as clients of the identity API write them.
 *
 * @module
 */

const UNIT_SECONDS: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };
const PART = /([0-9]{1,12}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)/y;
const MAX_LENGTH = 64;

/**
 * Whole seconds of `3600`, `"3600"`, `"90s"`, `"1.5h"`, `"1h30m"`, `"7d"`; `""` is 0. Parts of a second are dropped.
 *
 * @returns undefined where it is none. It may be negative.
 */
export function parseDuration(value: number | string): number | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : undefined;
  const text = value.trim();
  if (text === "") return 0;
  if (text.length > MAX_LENGTH) return undefined;
  const negative = text.startsWith("-");
  const seconds = parseUnsigned(negative ? text.slice(1) : text);
  return seconds === undefined || !negative ? seconds : -seconds;
}

function parseUnsigned(text: string): number | undefined {
  if (/^[0-9]{1,12}$/.test(text)) return Number(text);
  if (/^[0-9]{1,8}d$/.test(text)) return Number(text.slice(0, -1)) * 86_400;
  let seconds = 0;
  PART.lastIndex = 0;
  for (let end = 0; end < text.length; end = PART.lastIndex) {
    const part = PART.exec(text);
    if (part === null) return undefined;
    seconds += Number(part[1]) * UNIT_SECONDS[part[2]!]!;
  }
  return text === "" ? undefined : Math.floor(seconds + 1e-9);
}
