/**
 * The command line.
 *
 * Owns: the commands and their help, words and tables on a terminal, exit codes.
 * Relies on: the admin API through `admin/client.ts`; it never touches the domain. `commands/serve.ts` alone loads the
 * server, when it runs, so that every other command starts fast.
 * Leaves to others: what is allowed and what is true (the server).
 *
 * @module
 */

import { CommanderError, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { asVaultError, ERROR_TABLE, type VaultError } from "../vault/errors.ts";
import { addAuditCommands } from "./commands/audit.ts";
import { addBackupCommands } from "./commands/backup.ts";
import { addClockCommands } from "./commands/clock.ts";
import { addCompletionCommands } from "./commands/completion.ts";
import { addDatabaseCommands } from "./commands/db.ts";
import { addDoctorCommands } from "./commands/doctor.ts";
import { addEntityCommands } from "./commands/entity.ts";
import { addFileCommands } from "./commands/file.ts";
import { addImportCommands } from "./commands/import.ts";
import { addKeyCommands } from "./commands/keys.ts";
import { addLeaseCommands } from "./commands/lease.ts";
import { addLoginCommand } from "./commands/login.ts";
import { addManCommand } from "./commands/man.ts";
import { addOidcCommands } from "./commands/oidc.ts";
import { addOperatorCommands } from "./commands/operator.ts";
import { addPolicyCommands } from "./commands/policy.ts";
import { addRewrapCommand } from "./commands/rewrap.ts";
import { addRoleCommands } from "./commands/role.ts";
import { addSecretCommands } from "./commands/secret.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addStatusCommands } from "./commands/status.ts";
import { addTlsCommands } from "./commands/tls.ts";
import { addTokenCommands } from "./commands/token.ts";
import { addUserCommands } from "./commands/user.ts";
import { addGroupExamples, pathOf } from "./command_pages.ts";
import { errorJson, errorText } from "./format.ts";
import { type Io, OutputClosed, processIo } from "./io.ts";
import { type CliContext, type CommanderOutput, createRoot, type Root } from "./program.ts";
import { isVersionOfCommand, usageError } from "./usage.ts";

export type { Io } from "./io.ts";

/**
 * Runs one command.
 *
 * @param args The arguments after the program's name.
 * @param io Its surroundings; absent: those of this process.
 * @returns The exit code: 0, or as the error table says; 2 for a wrong command line.
 */
export async function run(args: readonly string[], io: Io = processIo()): Promise<number> {
  const context: CliContext = { io, exitCode: 0 };
  const output: CommanderOutput = { out: "", err: "" };
  const root = createProgram(context, output);
  root.hook("preAction", (_root, command) => tellOf(command, io));
  try {
    await root.parseAsync([...args], { from: "user" });
    return context.exitCode;
  } catch (thrown) {
    return await end(thrown, args, root, io, output);
  } finally {
    io.progress(null);
  }
}

/** A server runs as long as it is wanted; whatever else takes its time says so. */
function tellOf(command: CommandUnknownOpts, io: Io): void {
  const path = pathOf(command);
  if (path[0] !== "serve") io.progress(path.join(" "));
}

/** All commands, with their help and their actions. */
export function createProgram(context: CliContext, output: CommanderOutput): Root {
  const root = createRoot(context.io, output);
  addServeCommand(root, context);
  addTokenCommands(root, context);
  addRoleCommands(root, context);
  addUserCommands(root, context);
  addLoginCommand(root, context);
  addPolicyCommands(root, context);
  addEntityCommands(root, context);
  addOidcCommands(root, context);
  addDatabaseCommands(root, context);
  addLeaseCommands(root, context);
  addOperatorCommands(root, context);
  addSecretCommands(root, context);
  addKeyCommands(root, context);
  addRewrapCommand(root, context);
  addAuditCommands(root, context);
  addBackupCommands(root, context);
  addImportCommands(root, context);
  addTlsCommands(root, context);
  addDoctorCommands(root, context);
  addFileCommands(root, context);
  addClockCommands(root, context);
  addStatusCommands(root, context);
  addCompletionCommands(root, context);
  addManCommand(root, context);
  addGroupExamples(root);
  return root;
}

/** Help and the version also end by being thrown. */
async function end(thrown: unknown, args: readonly string[], root: Root, io: Io, output: CommanderOutput) {
  if (thrown instanceof OutputClosed) return 0;
  if (thrown instanceof CommanderError && thrown.exitCode === 0 && !isVersionOfCommand(thrown, args, root)) {
    await io.out(output.out);
    return 0;
  }
  if (thrown instanceof CommanderError && thrown.code === "commander.help") {
    await io.err(output.err);
    return ERROR_TABLE.usage.exit;
  }
  const error = thrown instanceof CommanderError ? usageError(thrown, args, root) : asVaultError(thrown);
  await io.err(args.includes("--json") ? errorJson(error) : errorText(withCause(error)));
  return ERROR_TABLE[error.kind].exit;
}

/** What this program did not foresee is a fault in it; whoever runs it may see where. */
function withCause(error: VaultError): { message: string; hint: string | undefined } {
  const { message, hint, kind, cause } = error;
  if (kind !== "internal" || !(cause instanceof Error)) return { message, hint };
  return { message: `Unexpected failure: ${cause.message}`, hint: "please report this with the command that you ran" };
}
