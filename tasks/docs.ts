/**
 * `./denow task docs`: every exported symbol says what it is for, every link of the papers leads somewhere.
 *
 * @module
 */

interface DocNode {
  readonly name: string;
  readonly declarations?: readonly {
    readonly kind: string;
    readonly declarationKind?: string;
    readonly location?: { readonly filename: string; readonly line: number };
    readonly jsDoc?: { readonly doc?: string };
  }[];
}

interface DocOutput {
  readonly nodes: Record<string, { readonly symbols: readonly DocNode[] }>;
}

const ROOT = new URL("../", import.meta.url);
const ROOMS = ["admin", "cli", "server", "vault", "bench", "tasks"];

async function* filesBelow(folder: string, ending: string): AsyncIterable<string> {
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesBelow(path, ending);
    else if (entry.name.endsWith(ending)) yield path;
  }
}

async function sourceFiles(): Promise<string[]> {
  const files: string[] = [];
  for (const room of ROOMS) {
    for await (const path of filesBelow(room, ".ts")) if (!isForTests(path)) files.push(path);
  }
  return files.sort();
}

/** Files of a room that begin with `_` are its tests' own. */
function isForTests(path: string): boolean {
  return path.endsWith("_test.ts") || path.split("/").at(-1)!.startsWith("_");
}

async function undocumented(files: readonly string[]): Promise<string[]> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...files],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await command.output();
  if (code !== 0) throw new Error(`deno doc ended with ${code}:\n${new TextDecoder().decode(stderr)}`);
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as DocOutput;
  const missing: string[] = [];
  for (const { symbols } of Object.values(nodes)) {
    for (const { name, declarations = [] } of symbols) {
      const own = declarations.filter((one) => one.declarationKind === "export" && one.kind !== "reference");
      if (own.length === 0 || own.some((one) => one.jsDoc?.doc !== undefined)) continue;
      missing.push(`${own[0]!.location?.filename.replace(ROOT.href, "")}: "${name}" has no documentation`);
    }
  }
  return missing;
}

async function brokenLinks(): Promise<string[]> {
  const broken: string[] = [];
  const papers = ["README.md", "CHANGELOG.md"];
  for await (const path of filesBelow("docs", ".md")) papers.push(path);
  for (const paper of papers) {
    const text = await Deno.readTextFile(new URL(paper, ROOT));
    for (const [, target] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const exists = await Deno.stat(new URL(target!, new URL(paper, ROOT))).then(() => true, () => false);
      if (!exists) broken.push(`${paper}: the link ${target} leads nowhere`);
    }
  }
  return broken;
}

const problems = [...await undocumented(await sourceFiles()), ...await brokenLinks()];
Deno.stdout.writeSync(new TextEncoder().encode(problems.map((one) => `${one}\n`).join("")));
Deno.exit(problems.length === 0 ? 0 : 1);
