/**
 * `runevault role …`
 *
 * @module
 */

import { Option } from "@commander-js/extra-typings";
import { adminPath } from "../../admin/client.ts";
import type { RoleRow } from "../../admin/wire.ts";
import { VaultError } from "../../vault/errors.ts";
import { facts, messageLine, table } from "../format.ts";
import { commaList, wholeNumber } from "../numbers.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answer, type Question } from "../session.ts";

/** Adds the commands for roles. */
export function addRoleCommands(root: Root, { io }: CliContext): void {
  const role = root.command("role").helpCommand(false).description("See and change what the holders of tokens may do.");

  role.command("list").description("List the roles.")
    .addHelpText("after", examples("runevault role list"))
    .action(async (_options, command) => {
      const question: Question = { method: "GET", path: "/roles" };
      await answer<{ roles: RoleRow[] }>(io, command.optsWithGlobals(), question, ({ roles }) => showList(roles));
    });

  role.command("show").description("Show one role.")
    .requiredOption("--name <role>", "the role's name")
    .addHelpText("after", examples("runevault role show --name member"))
    .action(async ({ name }, command) => {
      await answer(io, command.optsWithGlobals(), { method: "GET", path: adminPath`/roles/${name}` }, showRole);
    });

  role.command("create").description("Make a role.")
    .requiredOption("--name <name>", "the new role's name")
    .requiredOption("--scope <SCOPES>", "what its holders may do, separated by commas", commaList)
    .requiredOption("--top-k <N>", "the most results of one search", wholeNumber("--top-k"))
    .requiredOption("--rate-limit <RATE>", "calls in a time, such as 30/60s")
    .option("--policies <POLICIES>", "policies on the identity API, separated by commas", commaList)
    .addOption(cutoffEnvelopes())
    .addHelpText(
      "after",
      examples(
        "runevault role create --name researcher --scope get_public_key,decrypt_scores --top-k 3 --rate-limit 10/60s",
      ),
    )
    .action(async ({ name, scope, topK, rateLimit, policies, cutoffEnvelopes }, command) => {
      const body = { name, scope, top_k: topK, rate_limit: rateLimit, policies, cutoff_envelopes: cutoffEnvelopes };
      await answer(io, command.optsWithGlobals(), { method: "POST", path: "/roles", body }, showRole);
    });

  role.command("update").description("Change a role; every token with it is bound from its next call on.")
    .requiredOption("--name <role>", "the role's name")
    .option("--scope <SCOPES>", "what its holders may do, separated by commas", commaList)
    .option("--top-k <N>", "the most results of one search", wholeNumber("--top-k"))
    .option("--rate-limit <RATE>", "calls in a time, such as 30/60s")
    .option("--policies <POLICIES>", 'policies on the identity API, separated by commas; none: ""', commaList)
    .addOption(cutoffEnvelopes())
    .addHelpText("after", examples("runevault role update --name member --top-k 8"))
    .action(async ({ name, scope, topK, rateLimit, policies, cutoffEnvelopes }, command) => {
      assertSomething(scope, topK, rateLimit, policies, cutoffEnvelopes);
      const body = { scope, top_k: topK, rate_limit: rateLimit, policies, cutoff_envelopes: cutoffEnvelopes };
      const question: Question = { method: "PUT", path: adminPath`/roles/${name}`, body };
      await answer(io, command.optsWithGlobals(), question, showRole);
    });

  role.command("delete").description("Delete a role that no token has.")
    .requiredOption("--name <role>", "the role's name")
    .addHelpText("after", examples("runevault role delete --name researcher"))
    .action(async ({ name }, command) => {
      await answer(io, command.optsWithGlobals(), { method: "DELETE", path: adminPath`/roles/${name}` }, messageLine);
    });
}

function cutoffEnvelopes() {
  return new Option("--cutoff-envelopes <CHOICE>", "envelopes whose author was cut off").choices(["open", "refuse"]);
}

function assertSomething(...changes: readonly unknown[]): void {
  if (changes.some((change) => change !== undefined)) return;
  throw new VaultError("usage", "Nothing to change", {
    hint: "give --scope, --top-k, --rate-limit, --policies or --cutoff-envelopes",
  });
}

function showRole(role: RoleRow): string {
  return facts([
    ["Role", role.name],
    ["Scope", role.scope.join(",")],
    ["Top k", String(role.top_k)],
    ["Rate", role.rate_limit],
    ["Policies", role.policies?.join(",") ?? null],
    ["Envelopes of cut-off users", role.cutoff_envelopes ?? null],
  ]);
}

function showList(roles: readonly RoleRow[]): string {
  const rows = roles.map((role) => [role.name, role.scope.join(","), String(role.top_k), role.rate_limit]);
  return table(["ROLE", "SCOPE", "TOP_K", "RATE"], rows);
}
