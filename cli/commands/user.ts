/**
 * `runevault user …`
 *
 * @module
 */

import { adminPath } from "../../admin/client.ts";
import type { CreatedUserBody, LoginRow, UserRow } from "../../admin/wire.ts";
import { facts, messageLine, showExpiry, table } from "../format.ts";
import { commaList } from "../numbers.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answerPaged } from "../paged.ts";
import { answer, answerWithWarnings, type Question } from "../session.ts";
import { addCutoffCommands } from "./user_cutoff.ts";

/** Adds the commands for users. */
export function addUserCommands(root: Root, { io }: CliContext): void {
  const user = root.command("user").helpCommand(false).description("See and make users, and switch them off and on.");

  user.command("list").description("List the users, also those without a token.")
    .addHelpText("after", examples("runevault user list"))
    .action(async (_options, command) => {
      await answerPaged<UserRow>(io, command.optsWithGlobals(), {
        path: "/users",
        key: "users",
        nameOf: (row) => row.name,
        show: showList,
      });
    });

  user.command("show").description("Show one user: token, and which keys have left the vault to them.")
    .argument("<user>", "the user's name")
    .addHelpText("after", examples("runevault user show alice"))
    .action(async (name, _options, command) => {
      await answer(io, command.optsWithGlobals(), { method: "GET", path: adminPath`/users/${name}` }, showUser);
    });

  user.command("create").description(
    "Make a user with a password login; the password is asked for, or read from stdin.",
  )
    .argument("<user>", "the new user's name, or one of a user who has no login yet")
    .option("--login <NAME>", "the name to log in by; the user's name in lower case where absent")
    .option("--policies <POLICIES>", "policies of the login's tokens, separated by commas", commaList)
    .option("--force", "though a database role has the name")
    .addHelpText(
      "after",
      examples("runevault user create alice --policies own-entity", "runevault user create bob < password"),
    )
    .action(async (name, { login, policies, force }, command) => {
      const body = { user: name, password: await io.secret(`Password of ${name}: `), login, policies, force };
      const question: Question = { method: "POST", path: "/users", body };
      await answerWithWarnings<CreatedUserBody>(io, command.optsWithGlobals(), question, messageLine);
    });

  user.command("password").description("Set the password of a user's login; it is asked for, or read from stdin.")
    .argument("<user>", "the user's name")
    .addHelpText("after", examples("runevault user password alice"))
    .action(async (name, _options, command) => {
      const body = { password: await io.secret(`New password of ${name}: `) };
      const question: Question = { method: "POST", path: adminPath`/users/${name}/password`, body };
      await answer(io, command.optsWithGlobals(), question, messageLine);
    });

  user.command("link").description("Make a user and a login that is there already one; the login's sessions end.")
    .argument("<user>", "the user's name")
    .argument("<login>", "the name that the login is known by")
    .addHelpText("after", examples("runevault user link alice alice@example.org"))
    .action(async (name, login, _options, command) => {
      const question: Question = { method: "POST", path: adminPath`/users/${name}/link`, body: { login } };
      await answer(io, command.optsWithGlobals(), question, messageLine);
    });

  user.command("unlock").description("Let a user who gave wrong passwords try again at once.")
    .argument("<user>", "the user's name")
    .addHelpText("after", examples("runevault user unlock alice"))
    .action(async (name, _options, command) => {
      const question: Question = { method: "POST", path: adminPath`/users/${name}/unlock`, body: {} };
      await answer(io, command.optsWithGlobals(), question, messageLine);
    });

  user.command("locked").description("List logins that are locked after wrong passwords, and for how long.")
    .addHelpText("after", examples("runevault user locked"))
    .action(async (_options, command) => {
      const question: Question = { method: "GET", path: "/v1/sys/locked-users" };
      await answer<LockedBody>(io, command.optsWithGlobals(), question, showLocked);
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

  addCutoffCommands(user, io);
}

/** What `sys/locked-users` says beside its counts. */
interface LockedBody {
  readonly data: {
    readonly locked_users: readonly {
      readonly alias: string;
      readonly reason: string;
      readonly seconds_left: number;
    }[];
  };
}

function showLocked({ data }: LockedBody): string {
  const rows = data.locked_users.map((one) => [one.alias, `${Math.ceil(one.seconds_left / 60)} min`, one.reason]);
  return table(["LOGIN", "LEFT", "REASON"], rows);
}

function showUser(user: UserRow): string {
  return facts([
    ["User", user.name],
    ["State", stateOf(user)],
    ["Cut off", user.cut_off?.at ?? null],
    ["Reason", user.cut_off?.reason ?? null],
    ["Entity", user.entity_id],
    ["Created", user.created_at],
    ["Role", user.token?.role ?? "no token"],
    ["Expires", user.token === null ? null : showExpiry(user.token.expires)],
    ["Old token works until", user.token?.grace_until ?? null],
    ["Data key left", user.agent_key_left_at ?? "never"],
    ["Index key left", user.index_key_left_at ?? "never"],
    ["Score rows", String(user.score_rows)],
    ...(user.logins ?? []).map((login) => ["Login", showLogin(login)] as const),
    ...user.warnings.map((warning) => ["Warning", warning] as const),
  ]);
}

function showLogin({ mount_path, username, policies, locked }: LoginRow): string {
  const may = policies.length === 0 ? "" : ` (${policies.join(",")})`;
  return `${mount_path}login/${username}${may}${locked ? ", locked" : ""}`;
}

function showList(users: readonly UserRow[]): string {
  const byName = users.toSorted((a, b) => a.name < b.name ? -1 : 1);
  const rows = byName.map((user) => [
    user.name,
    stateOf(user),
    user.token?.role ?? "-",
    user.token === null ? "-" : showExpiry(user.token.expires),
    user.created_at,
  ]);
  return table(["USER", "STATE", "ROLE", "EXPIRES", "CREATED"], rows);
}

function stateOf(user: UserRow): string {
  if (user.cut_off !== null) return "cut off";
  return user.disabled ? "disabled" : "enabled";
}
