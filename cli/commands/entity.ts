/**
 * `runevault entity …`
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import { answerApi, apiPath, askApi, done, listKeys, showData } from "../api_session.ts";
import type { Io } from "../io.ts";
import { commaList, wholeNumber } from "../numbers.ts";
import { type CliContext, examples, type GlobalOptions, type Root } from "../program.ts";

/** Adds the commands for entities. */
export function addEntityCommands(root: Root, { io }: CliContext): void {
  const entity = root.command("entity").helpCommand(false).description(
    "See and change who is who on the identity API.",
  );

  entity.command("list").description("List the entities by name.")
    .addHelpText("after", examples("runevault entity list"))
    .action(async (_options, command) => await listKeys(io, command.optsWithGlobals(), "identity/entity/name"));

  entity.command("show").description("Show one entity, with its aliases and groups.")
    .argument("<name>", "its name, or its id")
    .addHelpText("after", examples("runevault entity show alice"))
    .action(async (name, _options, command) => {
      await answerApi(io, command.optsWithGlobals(), { method: "GET", path: entityPath(name) }, showData);
    });

  const change = (word: string, description: string) =>
    entity.command(word).description(description)
      .argument("<name>", "its name")
      .option("--metadata <KEY=VALUE>", "a fact about it; may be given several times", collectPair, {})
      .option("--policies <POLICIES>", "its policies, separated by commas", commaList)
      .option("--disabled <BOOLEAN>", "whether its tokens and logins are refused")
      .option("--cas <VERSION>", "refuse unless this is its version", wholeNumber("--cas"));

  change("create", "Make an entity; logins that are linked to it by an alias act as it.")
    .addHelpText("after", examples("runevault entity create alice --metadata email=alice@example.org"))
    .action(async (name, options, command) => {
      const question = {
        method: "POST" as const,
        path: "identity/entity",
        body: { name, ...fieldsOf(options), cas: options.cas ?? 0 },
      };
      await answerApi(io, command.optsWithGlobals(), question, showData);
    });

  change("update", "Change an entity; metadata is merged, an empty value takes a key away.")
    .addHelpText("after", examples("runevault entity update alice --metadata department=research --cas 3"))
    .action(async (name, options, command) => {
      const globals = command.optsWithGlobals();
      const fields = fieldsOf(options);
      if (Object.keys(fields).length === 0) {
        throw new VaultError("usage", "Nothing to change", { hint: "give --metadata, --policies or --disabled" });
      }
      const id = await idOf(io, globals, name);
      const question = {
        method: "PATCH" as const,
        path: apiPath`identity/entity/id/${id}`,
        body: { ...fields, cas: options.cas },
      };
      await answerApi(io, globals, question, done(`Changed the entity ${name}`));
    });

  entity.command("delete").description("Delete an entity: all that it holds ends, and its name is free.")
    .argument("<name>", "its name, or its id")
    .addHelpText("after", examples("runevault entity delete alice"))
    .action(async (name, _options, command) => {
      await answerApi(
        io,
        command.optsWithGlobals(),
        { method: "DELETE", path: entityPath(name) },
        done(`Deleted ${name}`),
      );
    });

  entity.command("alias").description("Say that a login name is an entity.")
    .argument("<name>", "the entity's name")
    .argument("<login>", "the name on the auth mount")
    .option("--mount <ACCESSOR>", "accessor, or stable accessor name, of the mount", "userpass_auth")
    .addHelpText("after", examples("runevault entity alias alice alice@example.org"))
    .action(async (name, login, { mount }, command) => {
      const globals = command.optsWithGlobals();
      const body = { name: login, canonical_id: await idOf(io, globals, name), mount_accessor: mount };
      const question = { method: "POST" as const, path: "identity/entity-alias", body };
      await answerApi(io, globals, question, done(`The login ${login} is ${name}`));
    });

  entity.command("merge").description("Merge entities into one, which takes over what they hold.")
    .argument("<into>", "the id of the one that stays")
    .argument("<from...>", "the ids of those that go")
    .addHelpText("after", examples("runevault entity merge 0190… 0191…"))
    .action(async (into, from, _options, command) => {
      const body = { to_entity_id: into, from_entity_ids: from };
      const question = { method: "POST" as const, path: "identity/entity/merge", body };
      await answerApi(io, command.optsWithGlobals(), question, done(`Merged ${from.length} into ${into}`));
    });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function entityPath(name: string): string {
  return UUID.test(name) ? apiPath`identity/entity/id/${name}` : apiPath`identity/entity/name/${name}`;
}

async function idOf(io: Io, globals: GlobalOptions, name: string): Promise<string> {
  if (UUID.test(name)) return name;
  const text = await askApi(io, globals, { method: "GET", path: entityPath(name) });
  return (JSON.parse(text) as { data: { id: string } }).data.id;
}

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

function collectPair(pair: string, before: Record<string, string>): Record<string, string> {
  const at = pair.indexOf("=");
  if (at < 1) throw new VaultError("usage", "--metadata takes KEY=VALUE");
  return { ...before, [pair.slice(0, at)]: pair.slice(at + 1) };
}
