/** Every command of README.md and of docs/ is run, in the order of its page, and prints what the page shows. */

import { fail } from "node:assert/strict";
import { canCompile, canRunPages, COMPILE, PageShell } from "./page_shell.ts";
import { type PageStep, readPage } from "./pages.ts";
import { ANYTHING, inThisRun, isSame, type Replacements, withoutVarying } from "./sameness.ts";

const ROOT = new URL("../../", import.meta.url);

for (const page of pages()) {
  const steps = readPage(Deno.readTextFileSync(new URL(page, ROOT)));
  if (!steps.some(({ kind }) => kind === "command")) continue;
  const name = `${page}: its commands print what it shows`;
  Deno.test({ name, ignore: !await canRunPages(), fn: () => runPage(page, steps) });
}

function pages(): string[] {
  const docs = [...Deno.readDirSync(new URL("docs/", ROOT))].map(({ name }) => `docs/${name}`);
  return ["README.md", ...docs.filter((name) => name.endsWith(".md")).sort()];
}

async function runPage(page: string, steps: readonly PageStep[]): Promise<void> {
  await using shell = await PageShell.start();
  const values: Replacements = new Map();
  for (const step of steps) {
    if (step.kind === "file") await shell.write(step.name, inThisRun(step.text, values));
    else await runCommand(step, page, shell, values);
  }
}

type CommandStep = PageStep & { readonly kind: "command" };

async function runCommand(step: CommandStep, page: string, shell: PageShell, values: Replacements): Promise<void> {
  if (step.command === COMPILE && !await canCompile()) return;
  const command = inThisRun(step.command, values);
  const isEnough = (lines: readonly string[]) => isSame([...step.output, ANYTHING], lines, values);
  const behind = /[^&]&$/.test(command);
  const lines = behind ? await shell.runBehind(command, isEnough) : await shell.run(command);
  if (behind ? isEnough(lines) : isSame(step.output, lines, values)) return;
  if (step.hidden && step.output.length === 0) return;
  fail(`${page}:${step.line} $ ${command}\nshows:\n${shown(step.output)}\nprints:\n${shown(lines)}`);
}

function shown(lines: readonly string[]): string {
  return lines.map((line) => `  ${withoutVarying(line)}`).join("\n");
}
