import { deepEqual, throws } from "node:assert/strict";
import { commandsNotRun, readPage } from "./pages.ts";

const page = (...lines: string[]) => readPage(lines.join("\n"));

Deno.test("a console block is its commands, each with the lines that follow it", () => {
  deepEqual(page("text", "```console", "$ one", "a", "", "b", "", "$ two", "```", "$ not this"), [
    { kind: "command", line: 3, command: "one", output: ["a", "", "b"], hidden: false },
    { kind: "command", line: 8, command: "two", output: [], hidden: false },
  ]);
});

Deno.test("a command goes on after a backslash, and to the end of its here-document", () => {
  const steps = page(
    "```console",
    "$ one \\",
    "    two",
    "out",
    "$ cat > x <<'END'",
    "$ text",
    "END",
    "$ three",
    "```",
  );
  deepEqual(steps.map((step) => step.kind === "command" && [step.command, step.output.length]), [
    ["one \\\n    two", 1],
    ["cat > x <<'END'\n$ text\nEND", 0],
    ["three", 0],
  ]);
});

Deno.test("a file that a page shows by cat, or as a block with its name, is written", () => {
  deepEqual(page("```console", "$ cat a.hcl", "path {}", "```", "```ts b.ts", "1;", "```", "```sh", "skipped", "```"), [
    { kind: "file", line: 2, name: "a.hcl", text: "path {}\n" },
    { kind: "command", line: 2, command: "cat a.hcl", output: ["path {}"], hidden: false },
    { kind: "file", line: 5, name: "b.ts", text: "1;\n" },
  ]);
});

Deno.test("hidden commands stand in a comment", () => {
  deepEqual(page("<!-- hidden", "$ one", "-->"), [
    { kind: "command", line: 2, command: "one", output: [], hidden: true },
  ]);
});

Deno.test("a block without an end, or without a command, is named by its line", () => {
  throws(() => page("", "```console", "$ one"), /line 2/);
  throws(() => page("```console", "one", "```"), /Line 2/);
});

Deno.test("commands outside of console blocks are named, with the reason that stands before them", () => {
  const lines = [
    "```sh",
    "one",
    "```",
    "<!-- not run: no cloud -->",
    "",
    "```",
    "two",
    "```",
    "```text",
    "three",
    "```",
  ];
  deepEqual(commandsNotRun([...lines, "```console", "$ four", "```", "```sh run.sh", "five", "```"].join("\n")), [
    { line: 1, reason: null },
    { line: 6, reason: "no cloud" },
  ]);
});
