/**
 * `runevault file …`
 *
 * @module
 */

import { Argument } from "@commander-js/extra-typings";
import { adminPath } from "../../admin/client.ts";
import type { FileDifferencesBody, FileRow } from "../../admin/wire.ts";
import { facts, table } from "../format.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answer, type Question } from "../session.ts";

/** Adds the commands for the two YAML files. */
export function addFileCommands(root: Root, { io }: CliContext): void {
  const file = root.command("file").helpCommand(false).description(
    "Settle edits of vault-roles.yml and vault-tokens.yml.",
  );
  const name = () => new Argument("<file>", "which of the two").choices(["roles", "tokens"] as const);

  file.command("status").description("Say how the two files stand to the vault.")
    .addHelpText("after", examples("runevault file status"))
    .action(async (_options, command) => {
      const question: Question = { method: "GET", path: "/files" };
      await answer<{ files: FileRow[] }>(io, command.optsWithGlobals(), question, ({ files }) => showList(files));
    });

  file.command("diff").description("Say what taking an edited file would change.").addArgument(name())
    .addHelpText("after", examples("runevault file diff tokens"))
    .action(async (file, _options, command) => {
      await answer(io, command.optsWithGlobals(), { method: "GET", path: adminPath`/files/${file}/diff` }, showDiff);
    });

  file.command("take").description("Apply an edited file to the vault's present state.").addArgument(name())
    .addHelpText("after", examples("runevault file take tokens"))
    .action(async (file, _options, command) => {
      await answer(io, command.optsWithGlobals(), { method: "POST", path: adminPath`/files/${file}/take` }, showDiff);
    });

  file.command("discard").description("Write the vault's own state over an edited file.").addArgument(name())
    .addHelpText("after", examples("runevault file discard tokens"))
    .action(async (file, _options, command) => {
      const question: Question = { method: "POST", path: adminPath`/files/${file}/discard` };
      await answer(io, command.optsWithGlobals(), question, showFile);
    });
}

function showFile(file: FileRow): string {
  return facts([
    ["File", file.name],
    ["Path", file.path],
    ["Generation", String(file.generation)],
    ["State", file.state],
    ["Reason", file.reason],
  ]);
}

function showList(files: readonly FileRow[]): string {
  return table(
    ["FILE", "STATE", "GENERATION", "PATH", "REASON"],
    files.map((file) => [file.name, file.state, String(file.generation), file.path, file.reason ?? "-"]),
  );
}

function showDiff({ differences }: FileDifferencesBody): string {
  if (differences.length === 0) return "no differences\n";
  return table(["CHANGE", "ROW", "DETAIL"], differences.map(({ change, row, detail }) => [change, row, detail]));
}
