/**
 * What a terminal shows differently from a file: tables cut to its width, and colours.
 *
 * Commands print plain text; this lays it out for whoever looks at it. What is piped stays as it is.
 *
 * @module
 */

/** What a terminal can do. */
export interface Terminal {
  /** In columns. */
  readonly width: number;
  readonly hasColors: boolean;
}

const BOLD = "1", RED = "1;31", YELLOW = "33", CYAN = "36";
/** No column gets narrower. */
const MIN_CELL = 8;
const GAP = 2;
const CUT = "…";

/** The first line of a table: words in capitals, two blanks apart. */
const HEADINGS = /^[A-Z][A-Z0-9_]*(?: {2,}[A-Z][A-Z0-9_]*)+$/;
/** The label of a fact, and what errors, hints and warnings begin with. */
const COLORED: readonly (readonly [pattern: RegExp, color: string])[] = [
  [/^[A-Z][A-Za-z0-9 -]{0,30}:(?= {2})/gm, BOLD],
  [/^runevault:/gm, RED],
  [/^(?:Warning|runevault: warning):/gm, YELLOW],
  [/^hint:/gm, CYAN],
];

/**
 * Whether colours are wanted.
 *
 * @param env The environment: `NO_COLOR` (https://no-color.org) and `TERM` count.
 */
export function wantsColors(env: (name: string) => string | undefined): boolean {
  return !env("NO_COLOR") && env("TERM") !== "dumb";
}

/** A text as a terminal shows it best. */
export function forTerminal(text: string, { width, hasColors }: Terminal): string {
  const [first, ...rest] = text.split("\n") as [string, ...string[]];
  const isTable = HEADINGS.test(first);
  const lines = isTable ? fitted([first, ...rest], width) : [first, ...rest];
  if (!hasColors) return lines.join("\n");
  if (isTable) return [paint(lines[0]!, BOLD), ...lines.slice(1)].join("\n");
  return COLORED.reduce((all, [pattern, color]) => all.replace(pattern, (found) => paint(found, color)), text);
}

function paint(text: string, color: string): string {
  return `\x1b[${color}m${text}\x1b[0m`;
}

/** Cuts the widest columns until the table fits, or each is as narrow as it may be. */
function fitted(lines: readonly string[], width: number): readonly string[] {
  const starts = [...lines[0]!.matchAll(/[A-Z][A-Z0-9_]*/g)].map(({ index }) => index);
  const rows = lines.map((line) => starts.map((start, i) => line.slice(start, starts[i + 1]).trimEnd()));
  const widths = starts.map((_start, column) => rows.reduce((most, row) => Math.max(most, row[column]!.length), 0));
  const least = widths.map((one, column) => Math.min(one, Math.max(MIN_CELL, rows[0]![column]!.length)));
  const total = () => widths.reduce((sum, one) => sum + one, GAP * (widths.length - 1));
  if (total() <= width) return lines;
  while (total() > width) {
    const spare = widths.map((one, column) => one - least[column]!);
    const widest = widths.indexOf(Math.max(...widths.filter((_one, column) => spare[column]! > 0)));
    if (widest === -1) break;
    widths[widest]!--;
  }
  return rows.map((row) => row.map((cell, column) => cutTo(cell, widths[column]!)).join(" ".repeat(GAP)).trimEnd());
}

function cutTo(cell: string, width: number): string {
  return cell.length <= width ? cell.padEnd(width) : cell.slice(0, width - CUT.length) + CUT;
}
