/**
 * `runevault user …`
 *
 * @module
 */

import { adminPath } from "../../admin/client.ts";
import type { UserRow } from "../../admin/wire.ts";
import { facts, showExpiry, table } from "../format.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answer, type Question } from "../session.ts";

/** Adds the commands for users. */
export function addUserCommands(root: Root, { io }: CliContext): void {
  const user = root.command("user").helpCommand(false).description("See users, and switch them off and on.");

  user.command("list").description("List the users, also those without a token.")
    .addHelpText("after", examples("runevault user list"))
    .action(async (_options, command) => {
      const question: Question = { method: "GET", path: "/users" };
      await answer<{ users: UserRow[] }>(io, command.optsWithGlobals(), question, ({ users }) => showList(users));
    });

  user.command("show").description("Show one user: token, and which keys have left the vault to them.")
    .argument("<user>", "the user's name")
    .addHelpText("after", examples("runevault user show alice"))
    .action(async (name, _options, command) => {
      await answer(io, command.optsWithGlobals(), { method: "GET", path: adminPath`/users/${name}` }, showUser);
    });

  user.command("disable").description("Refuse everything that a user holds, until enabled again.")
    .argument("<user>", "the user's name")
    .addHelpText("after", examples("runevault user disable alice"))
    .action(async (name, _options, command) => {
      const question: Question = { method: "POST", path: adminPath`/users/${name}/disable` };
      await answer(io, command.optsWithGlobals(), question, showUser);
    });

  user.command("enable").description("Lift a disable; what was revoked stays revoked.")
    .argument("<user>", "the user's name")
    .addHelpText("after", examples("runevault user enable alice"))
    .action(async (name, _options, command) => {
      const question: Question = { method: "POST", path: adminPath`/users/${name}/enable` };
      await answer(io, command.optsWithGlobals(), question, showUser);
    });
}

function showUser(user: UserRow): string {
  return facts([
    ["User", user.name],
    ["State", stateOf(user)],
    ["Entity", user.entity_id],
    ["Created", user.created_at],
    ["Role", user.token?.role ?? "no token"],
    ["Expires", user.token === null ? null : showExpiry(user.token.expires)],
    ["Old token works until", user.token?.grace_until ?? null],
    ["Data key left", user.agent_key_left_at ?? "never"],
    ["Index key left", user.index_key_left_at ?? "never"],
    ["Score rows", String(user.score_rows)],
    ...user.warnings.map((warning) => ["Warning", warning] as const),
  ]);
}

function showList(users: readonly UserRow[]): string {
  const rows = users.map((user) => [
    user.name,
    stateOf(user),
    user.token?.role ?? "-",
    user.token === null ? "-" : showExpiry(user.token.expires),
    user.created_at,
  ]);
  return table(["USER", "STATE", "ROLE", "EXPIRES", "CREATED"], rows);
}

function stateOf(user: UserRow): string {
  return user.disabled ? "disabled" : "enabled";
}
