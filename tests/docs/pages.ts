/**
 * Reads the commands that a page of the papers shows, and what it says they print. docs/CONTRIBUTING.md has the form.
 *
 * @module
 */

/** Something to do for a page, in the order in which it stands there. */
export type PageStep =
  | {
    readonly kind: "command";
    readonly line: number;
    readonly command: string;
    /** What it prints; a page's hidden commands may leave it out. */
    readonly output: readonly string[];
    /** Readers don't see it: it prepares what the page takes for given. */
    readonly hidden: boolean;
  }
  | { readonly kind: "file"; readonly line: number; readonly name: string; readonly text: string };

interface Line {
  readonly content: string;
  readonly line: number;
}

/** Commands that a page shows and nobody runs. */
export interface NotRun {
  readonly line: number;
  /** Why not, as the comment before the block says; null: nothing is said. */
  readonly reason: string | null;
}

const PROMPT = "$ ";
const FENCE = /^```([\w-]*)(?: (\S+))?$/;
const HIDDEN = "<!-- hidden";
const HERE_DOCUMENT = /<<-?\s*['"]?(\w+)['"]?/;

/**
 * The steps of a page.
 *
 * @throws {Error} naming the line of a block that does not end, or does not begin with a command.
 */
export function readPage(text: string): PageStep[] {
  const lines = text.split("\n").map((content, i) => ({ content, line: i + 1 }));
  const steps: PageStep[] = [];
  while (lines.length > 0) {
    const { content, line } = lines.shift()!;
    const [fence, language, file] = FENCE.exec(content) ?? [];
    if (content === HIDDEN) steps.push(...readCommands(takeUntil(lines, "-->", line), true));
    else if (fence === undefined) continue;
    else steps.push(...blockSteps(language ?? "", file, takeUntil(lines, "```", line), line));
  }
  return steps;
}

/** Blocks in the languages of commands that {@link readPage} passes over. */
export function commandsNotRun(text: string): NotRun[] {
  const lines = text.split("\n").map((content, i) => ({ content, line: i + 1 }));
  const found: NotRun[] = [];
  let before = "";
  while (lines.length > 0) {
    const { content, line } = lines.shift()!;
    const [fence, language, file] = FENCE.exec(content) ?? [];
    if (content === HIDDEN) takeUntil(lines, "-->", line);
    else if (fence !== undefined) {
      takeUntil(lines, "```", line);
      const reason = NOT_RUN.exec(before)?.[1] ?? null;
      if (file === undefined && COMMAND_LANGUAGES.has(language ?? "")) found.push({ line, reason });
    }
    if (content !== "") before = content;
  }
  return found;
}

/** A fence without a language may hold anything: what is no command says `text`. */
const COMMAND_LANGUAGES: ReadonlySet<string> = new Set(["", "sh", "shell", "bash"]);
const NOT_RUN = /^<!-- not run: (.+) -->$/;

function blockSteps(language: string, file: string | undefined, block: Line[], line: number): PageStep[] {
  if (language === "console") return readCommands(block, false);
  if (file === undefined) return [];
  return [{ kind: "file", line, name: file, text: block.map(({ content }) => `${content}\n`).join("") }];
}

function takeUntil(lines: Line[], end: string, line: number): Line[] {
  const at = lines.findIndex(({ content }) => content === end);
  if (at === -1) throw new Error(`The block that begins in line ${line} has no end`);
  return lines.splice(0, at + 1).slice(0, -1);
}

function readCommands(block: Line[], hidden: boolean): PageStep[] {
  const steps: PageStep[] = [];
  while (block.length > 0) {
    const { content, line } = block.shift()!;
    if (!content.startsWith(PROMPT)) throw new Error(`Line ${line} stands before any command: ${content}`);
    const command = takeCommand(content.slice(PROMPT.length), block);
    const next = block.findIndex((one) => one.content.startsWith(PROMPT));
    const output = block.splice(0, next === -1 ? block.length : next).map((one) => one.content);
    while (output.at(-1) === "") output.pop();
    steps.push(...commandSteps(command, output, line, hidden));
  }
  return steps;
}

/** The lines that a shell would go on reading: after a `\` at the end, and up to the end of a here-document. */
function takeCommand(first: string, block: Line[]): string {
  const lines = [first];
  while (lines.at(-1)!.endsWith("\\") && block.length > 0) lines.push(block.shift()!.content);
  const end = HERE_DOCUMENT.exec(lines.at(-1)!)?.[1];
  while (end !== undefined && lines.at(-1) !== end && block.length > 0) lines.push(block.shift()!.content);
  return lines.join("\n");
}

/** `cat FILE` shows the reader a file to write: it is written, then shown. */
function commandSteps(command: string, output: readonly string[], line: number, hidden: boolean): PageStep[] {
  const step = { kind: "command", line, command, output, hidden } as const;
  const shown = /^cat ([\w./-]+)$/.exec(command)?.[1];
  if (shown === undefined) return [step];
  return [{ kind: "file", line, name: shown, text: output.map((one) => `${one}\n`).join("") }, step];
}
