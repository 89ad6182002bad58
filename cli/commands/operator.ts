/**
 * `runevault operator …`: root tokens of the identity API, which are made on the machine alone.
 *
 * @module
 */

import { adminPath } from "../../admin/client.ts";
import type { NewRootTokenBody, RootTokenRow } from "../../admin/wire.ts";
import { facts, messageLine, table } from "../format.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answer } from "../session.ts";

/** Adds the commands for operators. */
export function addOperatorCommands(root: Root, { io }: CliContext): void {
  const operator = root.command("operator").helpCommand(false).description("Root tokens of the identity API.");

  operator.command("init").description("Make a root token and print it, once.")
    .addHelpText("after", examples("runevault operator init"))
    .action(async (_options, command) => {
      const globals = command.optsWithGlobals();
      await answer<NewRootTokenBody>(io, globals, { method: "POST", path: "/root-tokens", body: {} }, showNew);
      if (!globals.json) {
        await io.err("It can do everything: revoke it when you are done, and make another when you need one.\n");
      }
    });

  const tokens = operator.command("root").helpCommand(false).description("Root tokens that there are.");

  tokens.command("list").description("List the root tokens by accessor; the tokens themselves are not known.")
    .addHelpText("after", examples("runevault operator root list"))
    .action(async (_options, command) => {
      const show = ({ root_tokens }: { root_tokens: RootTokenRow[] }) =>
        table(
          ["ACCESSOR", "CREATED", "EXPIRES"],
          root_tokens.map((row) => [row.accessor, row.created_at, row.expires_at ?? "never"]),
        );
      await answer(io, command.optsWithGlobals(), { method: "GET", path: "/root-tokens" }, show);
    });

  tokens.command("revoke").description("End a root token and all that it made.")
    .argument("<accessor>", "its accessor")
    .addHelpText("after", examples("runevault operator root revoke 5TzI9RItltRPjR8rEvvIhaS7"))
    .action(async (accessor, _options, command) => {
      await answer(
        io,
        command.optsWithGlobals(),
        { method: "DELETE", path: adminPath`/root-tokens/${accessor}` },
        messageLine,
      );
    });
}

function showNew({ accessor, created_at, token }: NewRootTokenBody): string {
  return facts([["Accessor", accessor], ["Created", created_at], ["Root token", token]]);
}
