/** Every command of README.md and of docs/ is run, in the order of its page, and prints what the page shows. */

import { deepEqual, fail } from "node:assert/strict";
import { canCompile, canRunPages, COMPILE, PageShell } from "./page_shell.ts";
import { commandsNotRun, type PageStep, readPage } from "./pages.ts";
import { ANYTHING, inThisRun, isSame, type Replacements, withoutVarying } from "./sameness.ts";

const ROOT = new URL("../../", import.meta.url);

for (const page of pages()) {
  const steps = readPage(Deno.readTextFileSync(new URL(page, ROOT)));
  if (!steps.some(({ kind }) => kind === "command")) continue;
  const name = `${page}: its commands print what it shows`;
  Deno.test({ name, ignore: !await canRunPages(), fn: () => runPage(page, steps) });
}

/** Every block of commands that no test of this file runs, and why. */
const NOT_RUN = [
  "README.md: each of these runs for minutes; CI runs them",
  "docs/backup.md: the age command is another project's",
  "docs/backup.md: it needs a service; tests/binary/systemd_test.ts runs it",
  "docs/install.md: tests/install/page_test.ts runs it",
  "docs/install.md: tests/install/page_test.ts runs it",
  "docs/install.md: tests/install/page_test.ts runs it",
  "docs/install.md: tests/install/page_test.ts runs it",
  "docs/install.md: there is no release to download; tests/install/attacks_test.ts does it with one of its own",
  "docs/install.md: it compiles as root; tests/binary/from_source_test.ts does",
  "docs/install.md: tests/install/page_test.ts runs it",
  "docs/migrate-from-vault.md: it asks a Vault",
  "deploy/aws/README.md: it needs an account at the cloud",
  "deploy/docker/README.md: it needs Docker; deploy/docker/try.sh does it in CI",
  "deploy/gcp/README.md: it needs an account at the cloud",
  "deploy/oci/README.md: it needs an account at the cloud",
];

Deno.test("a block of commands is run, or says why not, and those are these", () => {
  const clouds = ["aws", "docker", "gcp", "oci"].map((name) => `deploy/${name}/README.md`);
  const found = [...pages(), "deploy/README.md", ...clouds].flatMap((page) =>
    commandsNotRun(Deno.readTextFileSync(new URL(page, ROOT))).map(({ line, reason }) =>
      `${page}: ${reason ?? `line ${line} is no console block and doesn't say why`}`
    )
  );
  deepEqual(found, NOT_RUN);
});

Deno.test("every task that README.md names is there", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))) as { tasks: Record<string, string> };
  const named = Deno.readTextFileSync(new URL("README.md", ROOT)).matchAll(/denow task ([\w:]+)/g);
  deepEqual([...named].map(([, task]) => task!).filter((task) => !Object.hasOwn(tasks, task)), []);
});

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
