/**
 * `runevault db role …`: which accounts are made.
 *
 * @module
 */

import { answerApi, apiPath, deleteApi, done, listKeys, showData } from "../api_session.ts";
import type { Io } from "../io.ts";
import { examples } from "../program.ts";
import { repeated } from "../repeated.ts";
import { type DatabaseGroup, mountPath } from "./db_mount.ts";

/** Adds the commands for roles. */
export function addDatabaseRoleCommands(db: DatabaseGroup, io: Io): void {
  const role = db.command("role").helpCommand(false).description("Roles: which accounts are made, and for how long.");
  const pathOf = (mount: string, name: string) => `${mountPath(mount)}/roles/${apiPath`${name}`}`;

  role.command("list").description("List the roles.")
    .addHelpText("after", examples("runevault db role list"))
    .action(async (_options, command) => {
      const globals = command.optsWithGlobals();
      await listKeys(io, globals, `${mountPath(globals.mount)}/roles`);
    });

  role.command("show").description("Show a role.")
    .argument("<ROLE>", "its name")
    .addHelpText("after", examples("runevault db role show app-users"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      await answerApi(io, globals, { method: "GET", path: pathOf(globals.mount, name) }, showData);
    });

  role.command("write").description("Make a role, or change what is given of one.")
    .argument("<ROLE>", "its name")
    .option("--connection <NAME>", "the connection")
    .option(
      "--create <SQL>",
      "what makes an account; {{name}}, {{password}}, {{expiration}}; may be repeated",
      repeated,
      [],
    )
    .option("--revoke <SQL>", "what takes it away; it is dropped where absent; may be repeated", repeated, [])
    .option("--rollback <SQL>", "what follows a creation that failed; may be repeated", repeated, [])
    .option("--renew <SQL>", "what lets it live longer; may be repeated", repeated, [])
    .option("--default-ttl <DURATION>", "how long an account lives: 1h, 90m")
    .option("--max-ttl <DURATION>", "the most that renewals may make of it")
    .option("--password-policy <POLICY>", "policy of the passwords; the connection's where absent")
    .option("--user-bound", "serve users by their own names: creds/alice")
    .option("--no-user-bound", "serve nobody by their own name")
    .addHelpText(
      "after",
      examples(
        "runevault db role write app-users --connection main --default-ttl 1h --max-ttl 24h " +
          `--create "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'" ` +
          `--create "GRANT SELECT ON app.* TO '{{name}}'@'%'"`,
      ),
    )
    .action(async (name, options, command) => {
      const globals = command.optsWithGlobals();
      const body = {
        db_name: options.connection,
        creation_statements: given(options.create),
        revocation_statements: given(options.revoke),
        rollback_statements: given(options.rollback),
        renew_statements: given(options.renew),
        default_ttl: options.defaultTtl,
        max_ttl: options.maxTtl,
        credential_config: options.passwordPolicy === undefined
          ? undefined
          : { password_policy: options.passwordPolicy },
        user_bound: options.userBound,
      };
      const question = { method: "POST" as const, path: pathOf(globals.mount, name), body };
      await answerApi(io, globals, question, done(`Wrote the role ${name}`));
    });

  role.command("delete").description("Delete a role; accounts that it made live on until their leases end.")
    .argument("<ROLE>", "its name")
    .addHelpText("after", examples("runevault db role delete app-users"))
    .action(async (name, _options, command) => {
      const globals = command.optsWithGlobals();
      await deleteApi(io, globals, pathOf(globals.mount, name), `Deleted the role ${name}`);
    });
}

function given(statements: readonly string[]): readonly string[] | undefined {
  return statements.length > 0 ? statements : undefined;
}
