/**
 * `runevault db …`: database accounts for users. The rooms of it are in `db_*.ts`.
 *
 * @module
 */

import { answerApi, apiPath, done } from "../api_session.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { addConnectionCommands } from "./db_connection.ts";
import { addPasswordPolicyCommands } from "./db_password_policy.ts";
import { addDatabaseRoleCommands } from "./db_role.ts";
import { addStaticRoleCommands } from "./db_static_role.ts";
import { databaseGroup, mountPath } from "./db_mount.ts";

/** Adds the commands for database accounts. */
export function addDatabaseCommands(root: Root, { io }: CliContext): void {
  const db = databaseGroup(root);

  db.command("enable").description("Mount the engine.")
    .addHelpText("after", examples("runevault db enable", "runevault db --mount team/db enable"))
    .action(async (_options, command) => {
      const globals = command.optsWithGlobals();
      const path = `sys/mounts/${mountPath(globals.mount)}`;
      const question = { method: "POST" as const, path, body: { type: "database" } };
      await answerApi(io, globals, question, done(`Mounted the database engine at ${globals.mount}/`));
    });

  addConnectionCommands(db, io);
  addDatabaseRoleCommands(db, io);
  addStaticRoleCommands(db, io);
  addPasswordPolicyCommands(db, io);

  db.command("creds").description("Make an account for the holder of RUNEVAULT_TOKEN; it ends with that token.")
    .argument("<ROLE>", "the role, or one's own name where a role serves users by theirs")
    .addHelpText("after", examples("RUNEVAULT_TOKEN=… runevault db creds app-users"))
    .action(async (role, _options, command) => {
      const globals = command.optsWithGlobals();
      const path = `${mountPath(globals.mount)}/creds/${apiPath`${role}`}`;
      await answerApi<CredentialBody>(io, globals, { method: "GET", path }, showCredentials);
    });
}

interface CredentialBody {
  readonly lease_id: string;
  readonly lease_duration: number;
  readonly data: { readonly username: string; readonly password: string };
}

function showCredentials({ lease_id: id, lease_duration: seconds, data }: CredentialBody): string {
  return `Username: ${data.username}\nPassword: ${data.password}\nLease:    ${id}\nEnds in:  ${seconds} s\n`;
}
