/**
 * `runevault entity …`
 *
 * @module
 */

import { Option } from "@commander-js/extra-typings";
import { VaultError } from "../../vault/errors.ts";
import { answerApi, apiCommand, apiPath, deleteApi, done, listKeys, showData } from "../api_session.ts";
import { entityIdOf, entityPath, showEntity } from "../entities.ts";
import { commaList, wholeNumber } from "../numbers.ts";
import { pairs } from "../pairs.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { addEntityAliasCommands } from "./entity_alias.ts";
import { addEntityGroupCommands } from "./entity_group.ts";

/** Adds the commands for entities. */
export function addEntityCommands(root: Root, { io }: CliContext): void {
  const entity = apiCommand(root, "entity", "See and change who is who on the identity API.");

  entity.command("list").description("List the entities by name.")
    .addHelpText("after", examples("runevault entity list"))
    .action(async (_options, command) => await listKeys(io, command.optsWithGlobals(), "identity/entity/name"));

  entity.command("show").description("Show one entity, with its aliases and groups.")
    .argument("<entity>", "its name, or its id")
    .addHelpText("after", examples("runevault entity show alice"))
    .action(async (name, _options, command) => {
      await answerApi(io, command.optsWithGlobals(), { method: "GET", path: entityPath(name) }, showEntity);
    });

  const change = (word: string, description: string, placeholder: "<name>" | "<entity>") =>
    entity.command(word).description(description)
      .argument(placeholder, "its name")
      .option("--metadata <KEY=VALUE>", "a fact about it; may be repeated", METADATA, {})
      .option("--policies <POLICIES>", "its policies, separated by commas", commaList)
      .addOption(new Option("--disabled <BOOLEAN>", "whether its tokens and logins are refused").choices(BOOLEANS))
      .option("--cas <VERSION>", "refuse unless this is its version", wholeNumber("--cas"));

  change("create", "Make an entity; logins that are linked to it by an alias act as it.", "<name>")
    .addHelpText("after", examples("runevault entity create alice --metadata email=alice@example.org"))
    .action(async (name, options, command) => {
      const body = { name, ...fieldsOf(options), cas: options.cas ?? 0 };
      const question = { method: "POST" as const, path: "identity/entity", body };
      await answerApi(io, command.optsWithGlobals(), question, showData);
    });

  change("update", "Change an entity; metadata is merged, an empty value takes a key away.", "<entity>")
    .addHelpText(
      "after",
      examples("runevault entity update alice --metadata department=research --cas 3") +
        "\n\nThe holder of a token needs the capability `patch` on the entity's path.",
    )
    .action(async (name, options, command) => {
      const globals = command.optsWithGlobals();
      const fields = fieldsOf(options);
      if (Object.keys(fields).length === 0) {
        throw new VaultError("usage", "Nothing to change", { hint: "give --metadata, --policies or --disabled" });
      }
      const path = apiPath`identity/entity/id/${await entityIdOf(io, globals, name)}`;
      const question = { method: "PATCH" as const, path, body: { ...fields, cas: options.cas } };
      await answerApi(io, globals, question, done(`Changed the entity ${name}`));
    });

  entity.command("delete").description("Delete an entity: all that it holds ends, and its name is free.")
    .argument("<entity>", "its name, or its id")
    .addHelpText("after", examples("runevault entity delete alice"))
    .action(async (name, _options, command) => {
      await deleteApi(io, command.optsWithGlobals(), entityPath(name), `Deleted ${name}`);
    });

  entity.command("merge").description("Merge entities into one, which takes over what they hold.")
    .argument("<into>", "the name or id of the one that stays")
    .argument("<from...>", "names or ids of those that go")
    .addHelpText("after", examples("runevault entity merge alice entity_8f63f244"))
    .action(async (into, from, _options, command) => {
      const globals = command.optsWithGlobals();
      const ids = [];
      for (const name of [into, ...from]) ids.push(await entityIdOf(io, globals, name));
      const [to_entity_id, ...from_entity_ids] = ids;
      const body = { to_entity_id, from_entity_ids };
      const question = { method: "POST" as const, path: "identity/entity/merge", body };
      await answerApi(io, globals, question, done(`Merged ${from.length} into ${into}`));
    });

  addEntityAliasCommands(entity, io);
  addEntityGroupCommands(entity, io);
}

const BOOLEANS = ["true", "false"] as const;
const METADATA = pairs("--metadata", "email=alice@example.org");

interface ChangeOptions {
  readonly metadata: Readonly<Record<string, string>>;
  readonly policies?: readonly string[] | undefined;
  readonly disabled?: string | undefined;
}

function fieldsOf({ metadata, policies, disabled }: ChangeOptions): Record<string, unknown> {
  const facts = Object.entries(metadata).map(([key, value]) => [key, value === "" ? null : value]);
  return {
    ...(facts.length === 0 ? {} : { metadata: Object.fromEntries(facts) }),
    ...(policies === undefined ? {} : { policies }),
    ...(disabled === undefined ? {} : { disabled }),
  };
}
