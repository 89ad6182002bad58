/**
 * `runevault completion SHELL`, and the hidden `complete` that the scripts ask.
 *
 * @module
 */

import { Argument } from "@commander-js/extra-typings";
import type { AdminClient } from "../../admin/client.ts";
import type { RoleRow, UserRow } from "../../admin/wire.ts";
import { VaultError } from "../../vault/errors.ts";
import { complete, type NameKind, type NameSource } from "../completion.ts";
import { COMPLETION_SCRIPTS, FILES, SHELLS } from "../completion_scripts.ts";
import type { Io } from "../io.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { connect } from "../session.ts";

/** Nobody waits longer after pressing a key. */
const TIMEOUT_MS = 1000;
const MAX_NAMES = 1000;

/** Names that no shell takes for anything else; odd ones of old files are typed by hand. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** Adds the commands for completion. */
export function addCompletionCommands(root: Root, { io }: CliContext): void {
  root.command("completion").description("Print the script that completes commands, flags and names in a shell.")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      examples('eval "$(runevault completion bash)"', "runevault completion fish | source"),
    )
    .action(async (shell) => await io.out(COMPLETION_SCRIPTS[shell]));

  root.command("complete", { hidden: true }).argument("[words...]").allowUnknownOption()
    .action(async (words) => {
      const found = await complete(root, words, serverNames(io));
      if (found === "files") return await io.out(`${FILES}\n`);
      await io.out(found.map(({ value, description }) => `${value}\t${description}\n`).join(""));
    });
}

function serverNames(io: Io): NameSource {
  return {
    async names(kind, globals) {
      try {
        return await askNames(io, kind, globals);
      } catch (error) {
        // A server that isn't there has no names to offer; a message would land in the line that is being typed.
        if (error instanceof VaultError) return [];
        throw error;
      }
    },
  };
}

async function askNames(io: Io, kind: NameKind, globals: Readonly<Record<string, string>>): Promise<string[]> {
  const options = {
    dataDir: globals["--data-dir"],
    adminAddr: globals["--admin-addr"],
    adminSocket: globals["--admin-socket"],
  };
  using client = await connect(io, options, TIMEOUT_MS);
  return (await namesOf(client, kind)).filter((name) => PLAIN_NAME.test(name));
}

/** Where the identity API lists what has no route of its own on the admin API. */
const LISTS: Readonly<Record<Exclude<NameKind, "user" | "role">, string>> = {
  policy: "sys/policies/acl",
  entity: "identity/entity/name",
  group: "identity/group/name",
  "oidc-key": "identity/oidc/key",
  "oidc-role": "identity/oidc/role",
};

async function namesOf(client: AdminClient, kind: NameKind): Promise<string[]> {
  if (kind === "user") {
    const { users } = await client.json<{ users: UserRow[] }>("GET", `/users?limit=${MAX_NAMES}`);
    return users.map(({ name }) => name);
  }
  if (kind === "role") return (await client.json<{ roles: RoleRow[] }>("GET", "/roles")).roles.map(({ name }) => name);
  const list = await client.json<{ data: { keys: string[] } }>("GET", `/v1/${LISTS[kind]}?list=true`);
  return list.data.keys.slice(0, MAX_NAMES);
}
