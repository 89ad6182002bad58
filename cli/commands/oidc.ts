/**
 * `runevault oidc …`: keys, roles and identity tokens.
 *
 * @module
 */

import { Option } from "@commander-js/extra-typings";
import {
  answerApi,
  apiCommand,
  type ApiGroup,
  apiPath,
  type ApiQuestion,
  deleteApi,
  done,
  listKeys,
  showData,
} from "../api_session.ts";
import type { Io } from "../io.ts";
import { commaList } from "../numbers.ts";
import { pairs } from "../pairs.ts";
import { type CliContext, examples, type Root } from "../program.ts";

const ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"] as const;

/** Adds the commands for identity tokens. */
export function addOidcCommands(root: Root, { io }: CliContext): void {
  const oidc = apiCommand(root, "oidc", "Identity tokens: keys, roles, and tokens of one's own.");
  addKeys(oidc, io);
  addRoles(oidc, io);
  oidc.command("token").description("Print an identity token (a JWT) of the holder of RUNEVAULT_TOKEN.")
    .argument("<oidc-role>", "the role")
    .option(
      "--claim <NAME=VALUE>",
      "a claim that the role lets callers set; may be repeated",
      pairs("--claim", "session_id=s-1"),
      {},
    )
    .addHelpText("after", examples("RUNEVAULT_TOKEN=… runevault oidc token app"))
    .action(async (role, { claim }, command) => {
      const path = apiPath`identity/oidc/token/${role}`;
      // Reading is what most policies allow; claims need a body, hence `create` or `update`.
      const question: ApiQuestion = Object.keys(claim).length === 0
        ? { method: "GET", path }
        : { method: "POST", path, body: { claims: claim } };
      const show = ({ data }: { data: { token: string } }) => `${data.token}\n`;
      await answerApi(io, command.optsWithGlobals(), question, show);
    });
}

function addKeys(oidc: ApiGroup, io: Io): void {
  const key = oidc.command("key").helpCommand(false).description("Keys that sign identity tokens.");

  key.command("list").description("List the keys.")
    .addHelpText("after", examples("runevault oidc key list"))
    .action(async (_options, command) => await listKeys(io, command.optsWithGlobals(), "identity/oidc/key"));

  key.command("show").description("Show one key, without its private part.")
    .argument("<oidc-key>", "the key's name")
    .addHelpText("after", examples("runevault oidc key show default"))
    .action(async (name, _options, command) => {
      await answerApi(
        io,
        command.optsWithGlobals(),
        { method: "GET", path: apiPath`identity/oidc/key/${name}` },
        showData,
      );
    });

  key.command("create").description("Make a key, or change one.")
    .argument("<oidc-key>", "the key's name")
    .addOption(new Option("--algorithm <ALGORITHM>", "how it signs; RS256 where absent").choices(ALGORITHMS))
    .option("--rotation-period <DURATION>", "how long a pair signs; 24h where absent")
    .option("--verification-ttl <DURATION>", "how long a retired pair still verifies; 24h where absent")
    .option("--allowed-client-ids <IDS>", "client ids that it serves; `*` is all", commaList)
    .addHelpText("after", examples("runevault oidc key create app --algorithm EdDSA --allowed-client-ids '*'"))
    .action(async (name, { algorithm, rotationPeriod, verificationTtl, allowedClientIds }, command) => {
      const body = {
        algorithm,
        rotation_period: rotationPeriod,
        verification_ttl: verificationTtl,
        allowed_client_ids: allowedClientIds,
      };
      const question = { method: "POST" as const, path: apiPath`identity/oidc/key/${name}`, body };
      await answerApi(io, command.optsWithGlobals(), question, done(`Wrote the key ${name}`));
    });

  key.command("rotate").description("Have the next pair sign from now on.")
    .argument("<oidc-key>", "the key's name")
    .addHelpText("after", examples("runevault oidc key rotate app"))
    .action(async (name, _options, command) => {
      const question = { method: "POST" as const, path: apiPath`identity/oidc/key/${name}/rotate`, body: {} };
      await answerApi(io, command.optsWithGlobals(), question, done(`Rotated the key ${name}`));
    });

  key.command("delete").description("Delete a key that no role names.")
    .argument("<oidc-key>", "the key's name")
    .addHelpText("after", examples("runevault oidc key delete app"))
    .action(async (name, _options, command) => {
      await deleteApi(io, command.optsWithGlobals(), apiPath`identity/oidc/key/${name}`, `Deleted the key ${name}`);
    });
}

function addRoles(oidc: ApiGroup, io: Io): void {
  const role = oidc.command("role").helpCommand(false).description(
    "Roles of identity tokens: which key, for whom, what they say.",
  );

  role.command("list").description("List the roles.")
    .addHelpText("after", examples("runevault oidc role list"))
    .action(async (_options, command) => await listKeys(io, command.optsWithGlobals(), "identity/oidc/role"));

  role.command("show").description("Show one role.")
    .argument("<oidc-role>", "the role's name")
    .addHelpText("after", examples("runevault oidc role show app"))
    .action(async (name, _options, command) => {
      await answerApi(
        io,
        command.optsWithGlobals(),
        { method: "GET", path: apiPath`identity/oidc/role/${name}` },
        showData,
      );
    });

  role.command("create").description("Make a role, or change one.")
    .argument("<oidc-role>", "the role's name")
    .option("--key <oidc-key>", "the key that signs")
    .option("--template <JSON>", "custom claims, such as '{\"email\": {{identity.entity.metadata.email}}}'")
    .option("--ttl <DURATION>", "how long its tokens count; 24h where absent")
    .option("--client-id <ID>", "the audience of its tokens; drawn where absent")
    .option("--request-claims <NAMES>", "claims that callers may set, separated by commas", commaList)
    .option("--self-asserted <KEYS>", "metadata keys shown though entities set them themselves", commaList)
    .addHelpText("after", examples("runevault oidc role create app --key default"))
    .action(async (name, { key, template, ttl, clientId, requestClaims, selfAsserted }, command) => {
      const claims = { request_claims: requestClaims, self_asserted: selfAsserted };
      const body = { key, template, ttl, client_id: clientId, ...claims };
      const question = { method: "POST" as const, path: apiPath`identity/oidc/role/${name}`, body };
      await answerApi(io, command.optsWithGlobals(), question, done(`Wrote the role ${name}`));
    });

  role.command("preview").description("Print what a token of the role would say of an entity; nothing is signed.")
    .argument("<oidc-role>", "the role's name")
    .argument("<entity>", "the entity's name")
    .addHelpText("after", examples("runevault oidc role preview app alice"))
    .action(async (name, entity, _options, command) => {
      const body = { entity_name: entity };
      const question = { method: "POST" as const, path: apiPath`identity/oidc/role/${name}/preview`, body };
      const show = ({ data }: { data: { claims: Record<string, unknown> } }) => showData({ data: data.claims });
      await answerApi(io, command.optsWithGlobals(), question, show);
    });

  role.command("delete").description("Delete a role.")
    .argument("<oidc-role>", "the role's name")
    .addHelpText("after", examples("runevault oidc role delete app"))
    .action(async (name, _options, command) => {
      await deleteApi(io, command.optsWithGlobals(), apiPath`identity/oidc/role/${name}`, `Deleted the role ${name}`);
    });
}
