/**
 * Answers of commands with `--json`, held against what docs/cli-json.md promises: the compiler says where one has a field
 * too few, one too many, or another kind of value.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { JSON_ANSWERS } from "../../cli/json_answers.ts";
import { run } from "../../cli/mod.ts";
import { fakeIo } from "../fakes/io.ts";
import { type Finished, runProgram } from "../started_server.ts";
import { ENVELOPE, promisedType } from "./json_rows.ts";

const PAGE = await Deno.readTextFile(new URL("../../docs/cli-json.md", import.meta.url));

const PASSWORD = "a password of the test\n";

/** What a command is given, and what is looked at. */
export interface AskOptions {
  /** Standard input, such as a password. */
  readonly stdin?: string;
  /** 0 where absent; 1 for a doctor that found a problem. */
  readonly exitCode?: number;
  /** Whether it has a process of its own, as what opens a stopped vault must: it gives permissions up. */
  readonly isProcess?: boolean;
  /** A token of the identity API, in place of the operator. */
  readonly token?: string;
  /** The part of the row that speaks of this answer, where the row speaks of several. */
  readonly promise?: string;
}

/** Asks commands, and keeps what they answered. */
export class JsonAnswers {
  /** The commands that were asked. */
  readonly asked: Set<string> = new Set();
  readonly #checks: string[] = [];

  /**
   * Runs a command on a data folder and keeps its answer; throws where it fails.
   *
   * @returns The parsed answer.
   */
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
  async ask(dataDir: string, command: string, args: readonly string[] = [], options: AskOptions = {}): Promise<any> {
    const { promise, exitCode = 0 } = options;
    const line = [...command.split(" "), ...args, "--data-dir", dataDir, "--json"];
    const { code, stdout: text, stderr } = await (options.isProcess ? runProgram(line) : runHere(line, options));
    ok(code === exitCode, `${command} ended with ${code}: ${stderr}`);
    this.asked.add(command);
    const row = JSON_ANSWERS[command]!;
    ok(row.includes(promise ?? ""), `${command}: the page says ${row}`);
    const type = promisedType(rowMeant(promise ?? row));
    if (type === undefined) return text;
    ok(/^[^\n]+\n$/.test(text), `${command} prints no line: ${text}`);
    this.#checks.push(`const answer${this.#checks.length}: ${type} = // ${command}\n${text};`);
    return JSON.parse(text);
  }

  /** Where answers are not what the page says, in the compiler's words. */
  async complaints(): Promise<string> {
    const types = PAGE.slice(PAGE.indexOf("```ts\n") + 6, PAGE.lastIndexOf("```"));
    const file = await Deno.makeTempFile({ prefix: "runevault-answers-", suffix: ".ts" });
    const unused = this.#checks.map((_check, at) => `answer${at}`).join(", ");
    await Deno.writeTextFile(file, [types, ENVELOPE, ...this.#checks, `void [${unused}];`].join("\n"));
    try {
      const command = new Deno.Command(Deno.execPath(), { args: ["check", "--no-config", "--quiet", file], env: { NO_COLOR: "1" } });
      const { success, stderr } = await command.output();
      return success ? "" : new TextDecoder().decode(stderr).replace(/\nerror: Type checking failed.*/s, "");
    } finally {
      await Deno.remove(file);
    }
  }
}

/** Runs a command in this process, which takes milliseconds. */
async function runHere(line: readonly string[], { stdin = PASSWORD, token }: AskOptions): Promise<Finished> {
  const io = fakeIo({ stdin, env: token === undefined ? {} : { RUNEVAULT_TOKEN: token } });
  return { code: await run(line, io), stdout: io.stdout(), stderr: io.stderr() };
}

/** A row that says that a command prints what another one prints. */
function rowMeant(row: string): string {
  const [, other] = /^as `([a-z -]+)`$/.exec(row) ?? [];
  return other === undefined ? row : JSON_ANSWERS[other]!;
}
