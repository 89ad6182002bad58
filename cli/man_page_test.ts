/** The man page of every command, read by the programs that show man pages. */

import { equal, match, ok } from "node:assert/strict";
import { fakeIo } from "../tests/fakes/io.ts";
import { type CommandPage, commandPages } from "./command_pages.ts";
import { manPage } from "./man_page.ts";
import { createProgram, run } from "./mod.ts";

const PAGE: CommandPage = {
  path: [],
  description: "A program.",
  usage: "",
  isGroup: true,
  args: [],
  options: [],
  notes: [],
  examples: [],
};

async function printed(): Promise<string> {
  const io = fakeIo();
  equal(await run(["man"], io), 0);
  return io.stdout();
}

/** What a program says of a page that it is given on standard input. */
async function shown(command: string, args: readonly string[], page: string): Promise<string> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { MANWIDTH: "100", LC_ALL: "C.UTF-8" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(page));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  ok(success, text);
  // deno-lint-ignore no-control-regex -- bold and underlined letters are struck over
  return text.replace(/.\x08/g, "").replace(/\x1b\[[0-9;]*m/g, "");
}

const isThere = (path: string) => Deno.statSync(path).isFile;
function has(path: string): boolean {
  try {
    return isThere(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("the page has a section for every command, its flags and its examples", async () => {
  const page = await printed();
  const pages = commandPages(createProgram({ io: fakeIo(), exitCode: 0 }, { out: "", err: "" }));
  ok(pages.length > 60, String(pages.length));
  const plain = page.replaceAll("\\-", "-").replaceAll("\\(dq", '"').replaceAll("\\e", "\\").replaceAll("\\&", "");
  for (const { path, description, options, examples } of pages.slice(1)) {
    ok(plain.includes(`.SS "runevault ${path.join(" ")}"\n${description}\n`), path.join(" "));
    for (const { term } of options) ok(plain.includes(`.B "${term}"`), term);
    for (const example of examples) ok(plain.includes(`\n${example}\n`), example);
  }
});

Deno.test("text that the page language would take for its own stands as text", () => {
  const odd = { ...PAGE, path: ["odd"], isGroup: false, description: ".so /etc/passwd \\fB -x", examples: ["'x' \\n"] };
  const page = manPage({ pages: [PAGE, odd], version: "1", day: "2026-01-01", sections: [] });
  match(page, /\n\\&\.so \/etc\/passwd \\efB \\-x\n/);
  match(page, /\n\\&'x' \\en\n/);
});

Deno.test({
  name: "mandoc finds nothing wrong with the page",
  ignore: !has("/usr/bin/mandoc"),
  fn: async () => equal(await shown("mandoc", ["-Tlint", "-Wwarning"], await printed()), ""),
});

Deno.test({
  name: "man shows the page without a warning",
  ignore: !has("/usr/bin/man"),
  fn: async () => {
    const text = await shown("man", ["--warnings", "-l", "-"], await printed());
    match(text, /^RUNEVAULT\(1\)/);
    match(text, /runevault token issue --user alice --role member --expires 90d\n/);
    match(text, /\nEXIT STATUS\n/);
  },
});
