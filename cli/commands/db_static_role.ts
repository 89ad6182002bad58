/**
 * `runevault db static-role …`: accounts that are there already, whose passwords the vault keeps.
 *
 * @module
 */

import { answerApi, apiPath, deleteApi, done, listKeys, showData } from "../api_session.ts";
import type { Io } from "../io.ts";
import { examples } from "../program.ts";
import { repeated } from "../repeated.ts";
import { type DatabaseGroup, mountPath } from "./db_mount.ts";

/** Adds the commands for static roles. */
export function addStaticRoleCommands(db: DatabaseGroup, io: Io): void {
  const role = db.command("static-role").helpCommand(false).description("Accounts whose passwords change on schedule.");
  const pathOf = (mount: string, name: string, verb = "static-roles") =>
    `${mountPath(mount)}/${verb}/${apiPath`${name}`}`;

  role.command("list").description("List the static roles.")
    .addHelpText("after", examples("runevault db static-role list"))
    .action(async (_options, command) => {
      const globals = command.optsWithGlobals();
      await listKeys(io, globals, `${mountPath(globals.mount)}/static-roles`);
    });

  role.command("show").description("Show a static role.")
    .argument("<ROLE>", "its name")
    .addHelpText("after", examples("runevault db static-role show reports"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      await answerApi(io, globals, { method: "GET", path: pathOf(globals.mount, name) }, showData);
    });

  role.command("write").description("Take over an account, which gets a new password at once; or change the schedule.")
    .argument("<ROLE>", "its name")
    .requiredOption("--username <NAME>", "the account on the server")
    .option("--connection <NAME>", "the connection")
    .option("--rotation-period <DURATION>", "from one password to the next: 24h")
    .option("--rotate <SQL>", "what sets the password; {{name}}, {{password}}; may be repeated", repeated, [])
    .option("--password-policy <POLICY>", "policy of the passwords; the connection's where absent")
    .addHelpText(
      "after",
      examples("runevault db static-role write reports --connection main --username reports --rotation-period 24h"),
    )
    .action(async (name, { username, connection, rotationPeriod, rotate, passwordPolicy }, command) => {
      const globals = command.optsWithGlobals();
      const body = {
        username,
        db_name: connection,
        rotation_period: rotationPeriod,
        rotation_statements: rotate.length > 0 ? rotate : undefined,
        credential_config: passwordPolicy === undefined ? undefined : { password_policy: passwordPolicy },
      };
      const question = { method: "POST" as const, path: pathOf(globals.mount, name), body };
      await answerApi(io, globals, question, done(`Wrote the static role ${name}`));
    });

  role.command("creds").description("Print the present password of a static role's account.")
    .argument("<ROLE>", "its name")
    .addHelpText("after", examples("RUNEVAULT_TOKEN=… runevault db static-role creds reports"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      await answerApi(io, globals, { method: "GET", path: pathOf(globals.mount, name, "static-creds") }, showData);
    });

  role.command("rotate").description("Change the password now.")
    .argument("<ROLE>", "its name")
    .addHelpText("after", examples("runevault db static-role rotate reports"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      const question = { method: "POST" as const, path: pathOf(globals.mount, name, "rotate-role"), body: {} };
      await answerApi(io, globals, question, done(`Rotated the password of ${name}`));
    });

  role.command("delete").description("Let go of an account, which stays as it is.")
    .argument("<ROLE>", "its name")
    .addHelpText("after", examples("runevault db static-role delete reports"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      await deleteApi(io, globals, pathOf(globals.mount, name), `Deleted the static role ${name}`);
    });
}
