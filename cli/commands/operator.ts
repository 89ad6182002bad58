/**
 * `runevault operator …`: who may manage the vault, and root tokens of the identity API.
 *
 * @module
 */

import { adminPath } from "../../admin/client.ts";
import type { NewOperatorBody, NewRootTokenBody, OperatorRow, RootTokenRow } from "../../admin/wire.ts";
import { facts, messageLine, table } from "../format.ts";
import type { Io } from "../io.ts";
import { type CliContext, examples, type Group, type Root } from "../program.ts";
import { answer } from "../session.ts";

/** Adds the commands for operators. */
export function addOperatorCommands(root: Root, { io }: CliContext): void {
  const operator = root.command("operator").helpCommand(false)
    .description("Who may manage the vault, and root tokens of the identity API.");
  addOwnCommands(operator, io);

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

/** Adds the commands for operators themselves. */
function addOwnCommands(operator: Group, io: Io): void {
  operator.command("add").description("Let somebody manage the vault; their token is printed, once.")
    .argument("<name>", "who it is: their doings bear this name")
    .requiredOption("--scope <SCOPE>", "read, tokens (tokens and users too) or all")
    .addHelpText("after", examples("runevault operator add carol --scope tokens"))
    .action(async (name, { scope }, command) => {
      const question = { method: "POST" as const, path: "/operators", body: { name, scope } };
      await answer<NewOperatorBody>(io, command.optsWithGlobals(), question, showOperator);
    });

  operator.command("list").description("List the operators; `root`, whose token is admin.token, is always there.")
    .addHelpText("after", examples("runevault operator list"))
    .action(async (_options, command) => {
      const show = ({ operators }: { operators: OperatorRow[] }) =>
        table(
          ["OPERATOR", "SCOPE", "CREATED", "ROTATED"],
          operators.map((row) => [row.name, row.scope, row.created_at, row.rotated_at ?? "-"]),
        );
      await answer(io, command.optsWithGlobals(), { method: "GET", path: "/operators" }, show);
    });

  operator.command("rotate").description("Give an operator a new token; the old one stops at once.")
    .argument("<name>", "the operator's name")
    .addHelpText("after", examples("runevault operator rotate carol"))
    .action(async (name, _options, command) => {
      const question = { method: "POST" as const, path: adminPath`/operators/${name}/rotate`, body: {} };
      await answer<NewOperatorBody>(io, command.optsWithGlobals(), question, showOperator);
    });

  operator.command("remove").description("End an operator and their token.")
    .argument("<name>", "the operator's name")
    .addHelpText("after", examples("runevault operator remove carol"))
    .action(async (name, _options, command) => {
      const question = { method: "DELETE" as const, path: adminPath`/operators/${name}` };
      await answer(io, command.optsWithGlobals(), question, messageLine);
    });
}

function showOperator({ name, scope, token }: NewOperatorBody): string {
  return facts([["Operator", name], ["Scope", scope], ["Token", token]]);
}

function showNew({ accessor, created_at, token }: NewRootTokenBody): string {
  return facts([["Accessor", accessor], ["Created", created_at], ["Root token", token]]);
}
