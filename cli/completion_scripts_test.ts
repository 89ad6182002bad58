/** The completion scripts, run by the shells they are for, with a program that answers what it was told to. */

import { deepEqual, equal, rejects } from "node:assert/strict";
import { COMPLETION_SCRIPTS, type SHELLS } from "./completion_scripts.ts";

type Shell = (typeof SHELLS)[number];

/** How each shell completes the words `$WORDS` (one a line) with a `runevault` that answers with the file `answer`. */
const HARNESS: Readonly<Record<Shell, string>> = {
  bash: `
    runevault() { printf '%s\\n' "$@" > asked; cat answer; }
    eval "$SCRIPT"
    mapfile -t COMP_WORDS <<< "$WORDS"
    COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
    _runevault 2>/dev/null
    printf '%s\\n' "\${COMPREPLY[@]}"`,
  zsh: `
    runevault() { printf '%s\\n' "$@" > asked; cat answer; }
    compdef() { : }
    _describe() { print -rl -- "\${(@P)2}"; }
    _files() { print -rl -- *.jsonl; }
    eval "$SCRIPT"
    words=("\${(@f)WORDS}")
    CURRENT=\${#words}
    _runevault`,
  fish: `
    function runevault
        printf '%s\\n' $argv > asked
        cat answer
    end
    printf '%s' $SCRIPT | source
    complete -C (string join ' ' -- (string split \\n -- $WORDS))`,
};

async function completeIn(shell: Shell, words: readonly string[], answer: string) {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${cwd}/answer`, answer);
    await Deno.writeTextFile(`${cwd}/old.jsonl`, "");
    const env = { SCRIPT: COMPLETION_SCRIPTS[shell], WORDS: ["runevault", ...words].join("\n"), HOME: cwd };
    const command = new Deno.Command(shell, {
      args: ["-c", HARNESS[shell]],
      cwd,
      env,
      stdout: "piped",
      stderr: "piped",
    });
    const { stdout, stderr } = await command.output();
    await rejects(Deno.stat(`${cwd}/pwned`), Deno.errors.NotFound, "nothing that was typed or answered was run");
    equal(new TextDecoder().decode(stderr), "");
    return {
      offered: new TextDecoder().decode(stdout).split("\n").filter((line) => line !== ""),
      asked: (await Deno.readTextFile(`${cwd}/asked`)).split("\n").slice(0, -1),
    };
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

for (const shell of ["bash", "zsh", "fish"] as const) {
  const ignore = !isInstalled(shell);
  const separator = { bash: null, zsh: ":", fish: "\t" }[shell];
  const shown = (value: string, description: string) => separator === null ? value : value + separator + description;

  Deno.test({
    name: `${shell} asks with the words typed and offers what is answered`,
    ignore,
    async fn() {
      const words = ["token", "issue", "--user", "a"];
      const { asked, offered } = await completeIn(shell, words, "alice\tuser\nanna\tuser\n");
      deepEqual(asked, ["complete", "--", ...words]);
      deepEqual(offered, [shown("alice", "user"), shown("anna", "user")]);
    },
  });

  Deno.test({
    name: `${shell} completes file names where it is told to`,
    ignore,
    async fn() {
      const { offered } = await completeIn(shell, ["rewrap", "ol"], ":files\n");
      deepEqual(offered.map((line) => line.split("\t")[0]), ["old.jsonl"]);
    },
  });

  Deno.test({
    name: `${shell} runs nothing that was typed or answered`,
    ignore,
    async fn() {
      const evil = "$(touch${IFS}pwned)`touch${IFS}pwned`";
      // Fish takes the line as text, so what is typed there is quoted as a user would.
      const typed = shell === "fish" ? `'${evil}'` : evil;
      await completeIn(shell, ["token", "issue", "--user", typed], `${evil}\tuser\n`);
    },
  });
}

function isInstalled(shell: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${shell}`).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}
