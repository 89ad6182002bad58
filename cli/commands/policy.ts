/**
 * `runevault policy …`
 *
 * @module
 */

import { Argument } from "@commander-js/extra-typings";
import { VaultError } from "../../vault/errors.ts";
import { answerApi, apiCommand, apiPath, deleteApi, done, listKeys } from "../api_session.ts";
import { escapeLines, facts, table } from "../format.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { readTextFile } from "../text_file.ts";

const MAX_POLICY_BYTES = 1024 * 1024;
const OPERATIONS = ["create", "read", "update", "patch", "delete", "list"] as const;

/** Adds the commands for policies. */
export function addPolicyCommands(root: Root, { io }: CliContext): void {
  const policy = apiCommand(root, "policy", "See and change what tokens may do on the identity API.");

  policy.command("list").description("List the policies.")
    .addHelpText("after", examples("runevault policy list"))
    .action(async (_options, command) => await listKeys(io, command.optsWithGlobals(), "sys/policies/acl"));

  policy.command("show").description("Print one policy.")
    .argument("<policy>", "the policy's name")
    .addHelpText("after", examples("runevault policy show default"))
    .action(async (name, _options, command) => {
      const show = ({ data }: { data: { policy: string } }) => escapeLines(data.policy);
      await answerApi(io, command.optsWithGlobals(), { method: "GET", path: apiPath`sys/policies/acl/${name}` }, show);
    });

  policy.command("write").description("Write a policy; every token with it is bound from its next request on.")
    .argument("<policy>", "the policy's name")
    .argument("<FILE>", "its text, HCL or JSON; `-` is standard input")
    .addHelpText("after", examples("runevault policy write own-entity own-entity.hcl"))
    .action(async (name, file, _options, command) => {
      const body = { policy: await readTextFile(io, file, MAX_POLICY_BYTES) };
      const question = { method: "PUT" as const, path: apiPath`sys/policies/acl/${name}`, body };
      await answerApi(io, command.optsWithGlobals(), question, done(`Wrote the policy ${name.toLowerCase()}`));
    });

  policy.command("delete").description("Delete a policy; tokens that have it lose what it gave.")
    .argument("<policy>", "the policy's name")
    .addHelpText("after", examples("runevault policy delete own-entity"))
    .action(async (name, _options, command) => {
      await deleteApi(io, command.optsWithGlobals(), apiPath`sys/policies/acl/${name}`, `Deleted the policy ${name}`);
    });

  policy.command("explain").description("Say which policy and stanza decides, and which were dropped and why.")
    .argument("<path>", "the path, without /v1/")
    .addArgument(new Argument("[operation]", "what is tried").choices(OPERATIONS).default("read"))
    .option("--user <user>", "as this user, by their evt token or else by their logins")
    .option("--entity <ID>", "as this entity, with the policy `default`")
    .option("--accessor <ACCESSOR>", "as the token with this accessor")
    .option("--token-stdin", "as the token on standard input")
    .addHelpText("after", examples("runevault policy explain identity/oidc/token/app --user alice"))
    .action(async (path, operation, { user, entity, accessor, tokenStdin }, command) => {
      const given = [user, entity, accessor, tokenStdin].filter((one) => one !== undefined);
      if (given.length > 1) throw new VaultError("usage", "Give one of --user, --entity, --accessor and --token-stdin");
      const token = tokenStdin ? await io.secret("Token: ") : undefined;
      const body = { path, operation, user, entity_id: entity, accessor, token };
      const question = { method: "POST" as const, path: "sys/policies/explain", body };
      await answerApi<ExplainBody>(io, command.optsWithGlobals(), question, showExplanation);
    });
}

interface Stanza {
  readonly policy: string;
  readonly path: string;
  readonly line: number;
  readonly reason?: string;
}

interface ExplainBody {
  readonly data: {
    readonly allowed: boolean;
    readonly reason: string;
    readonly pattern: string | null;
    readonly capabilities: readonly string[];
    readonly stanzas: readonly Stanza[];
    readonly dropped: readonly Stanza[];
    readonly missing_policies: readonly string[];
  };
}

function showExplanation({ data }: ExplainBody): string {
  const decided = facts([
    ["Allowed", data.allowed ? "yes" : "no"],
    ["Why", data.reason],
    ["Pattern", data.pattern],
    ["Capabilities", data.capabilities.join(",")],
    ["Policies that nobody wrote", data.missing_policies.length === 0 ? null : data.missing_policies.join(",")],
  ]);
  const rows = [
    ...data.stanzas.map((one) => ["counts", one.policy, String(one.line), one.path, ""]),
    ...data.dropped.map((one) => ["dropped", one.policy, String(one.line), one.path, one.reason ?? ""]),
  ];
  return rows.length === 0 ? decided : `${decided}\n${table(["STANZA", "POLICY", "LINE", "PATH", "REASON"], rows)}`;
}
