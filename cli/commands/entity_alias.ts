/**
 * `runevault entity alias …`: which name on which auth mount is which entity.
 *
 * @module
 */

import { answerApi, answerList, type ApiGroup, apiPath, deleteApi, done, showData } from "../api_session.ts";
import { entityIdOf } from "../entities.ts";
import { table } from "../format.ts";
import type { Io } from "../io.ts";
import { examples } from "../program.ts";

/** Adds the commands for aliases. */
export function addEntityAliasCommands(entity: ApiGroup, io: Io): void {
  const alias = entity.command("alias").helpCommand(false).description("Which login name is which entity.");

  alias.command("list").description("List the aliases.")
    .addHelpText("after", examples("runevault entity alias list"))
    .action(async (_options, command) => {
      const none = { keys: [], key_info: {} };
      await answerList<AliasList>(io, command.optsWithGlobals(), "identity/entity-alias/id", showList, none);
    });

  alias.command("show").description("Show one alias.")
    .argument("<id>", "the alias's id")
    .addHelpText("after", examples("runevault entity alias show 5137147f-d0f9-4b41-ba86-e1c5761a38c6"))
    .action(async (id, _options, command) => {
      const question = { method: "GET" as const, path: apiPath`identity/entity-alias/id/${id}` };
      await answerApi(io, command.optsWithGlobals(), question, showData);
    });

  alias.command("create").description("Say that a login name is an entity; moving one from another needs sudo.")
    .argument("<entity>", "the entity's name, or its id")
    .argument("<login>", "the name on the auth mount")
    .option("--mount <ACCESSOR>", "accessor, or stable accessor name, of the mount", "userpass_auth")
    .addHelpText("after", examples("runevault entity alias create alice alice@example.org"))
    .action(async (name, login, { mount }, command) => {
      const globals = command.optsWithGlobals();
      const body = { name: login, canonical_id: await entityIdOf(io, globals, name), mount_accessor: mount };
      const question = { method: "POST" as const, path: "identity/entity-alias", body };
      await answerApi(io, globals, question, done(`The login ${login} is ${name}`));
    });

  alias.command("delete").description("Delete an alias; the login's next use makes an entity of its own.")
    .argument("<id>", "the alias's id")
    .addHelpText("after", examples("runevault entity alias delete 5137147f-d0f9-4b41-ba86-e1c5761a38c6"))
    .action(async (id, _options, command) => {
      await deleteApi(
        io,
        command.optsWithGlobals(),
        apiPath`identity/entity-alias/id/${id}`,
        `Deleted the alias ${id}`,
      );
    });
}

/** `LIST identity/entity-alias/id`. */
interface AliasList {
  readonly data: {
    readonly keys: readonly string[];
    readonly key_info: Readonly<Record<string, { name: string; mount_path: string; canonical_id: string }>>;
  };
}

function showList({ data }: AliasList): string {
  const rows = Object.entries(data.key_info).map(([id, one]) => [one.name, one.mount_path, one.canonical_id, id]);
  return table(["LOGIN", "MOUNT", "ENTITY", "ALIAS"], rows);
}
