/**
 * `runevault db password-policy …`: what generated passwords are made of.
 *
 * @module
 */

import { answerApi, apiPath, deleteApi, done, listKeys } from "../api_session.ts";
import { escapeControls, escapeLines } from "../format.ts";
import type { Io } from "../io.ts";
import { examples } from "../program.ts";
import { readTextFile } from "../text_file.ts";
import type { DatabaseGroup } from "./db_mount.ts";

const MAX_BYTES = 8192;

/** Adds the commands for password policies. */
export function addPasswordPolicyCommands(db: DatabaseGroup, io: Io): void {
  const policy = db.command("password-policy").helpCommand(false).description("What passwords are made of.");
  const pathOf = (name: string) => apiPath`sys/policies/password/${name}`;

  policy.command("list").description("List the password policies.")
    .addHelpText("after", examples("runevault db password-policy list"))
    .action(async (_options, command) => await listKeys(io, command.optsWithGlobals(), "sys/policies/password"));

  policy.command("show").description("Print one password policy.")
    .argument("<POLICY>", "its name")
    .addHelpText("after", examples("runevault db password-policy show long"))
    .action(async (name, _options, command) => {
      const show = ({ data }: { data: { policy: string } }) => escapeLines(data.policy);
      await answerApi(io, command.optsWithGlobals(), { method: "GET", path: pathOf(name) }, show);
    });

  policy.command("write").description("Write a password policy.")
    .argument("<POLICY>", "its name")
    .argument("<FILE>", "its text; `-` is standard input")
    .addHelpText("after", examples("runevault db password-policy write long long.hcl"))
    .action(async (name, file, _options, command) => {
      const body = { policy: await readTextFile(io, file, MAX_BYTES) };
      const question = { method: "PUT" as const, path: pathOf(name), body };
      await answerApi(io, command.optsWithGlobals(), question, done(`Wrote the password policy ${name}`));
    });

  policy.command("generate").description("Print a password by a policy.")
    .argument("<POLICY>", "its name")
    .addHelpText("after", examples("runevault db password-policy generate long"))
    .action(async (name, _options, command) => {
      const show = ({ data }: { data: { password: string } }) => `${escapeControls(data.password)}\n`;
      await answerApi(io, command.optsWithGlobals(), { method: "GET", path: `${pathOf(name)}/generate` }, show);
    });

  policy.command("delete").description("Delete a password policy; what names it can make no password then.")
    .argument("<POLICY>", "its name")
    .addHelpText("after", examples("runevault db password-policy delete long"))
    .action(async (name, _options, command) => {
      await deleteApi(io, command.optsWithGlobals(), pathOf(name), `Deleted the password policy ${name}`);
    });
}
