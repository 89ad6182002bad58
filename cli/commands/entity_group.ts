/**
 * `runevault entity group …`: groups of entities and of groups.
 *
 * @module
 */

import { answerApi, type ApiGroup, type ApiOptions, apiPath, deleteApi, done, listKeys } from "../api_session.ts";
import { entityIdOf, groupIdOf, groupPath, metadataFacts } from "../entities.ts";
import { facts } from "../format.ts";
import type { Io } from "../io.ts";
import { commaList } from "../numbers.ts";
import { pairs } from "../pairs.ts";
import { examples } from "../program.ts";

/** Adds the commands for groups. */
export function addEntityGroupCommands(entity: ApiGroup, io: Io): void {
  const group = entity.command("group").helpCommand(false).description("Groups, whose policies their members have.");

  group.command("list").description("List the groups by name.")
    .addHelpText("after", examples("runevault entity group list"))
    .action(async (_options, command) => await listKeys(io, command.optsWithGlobals(), "identity/group/name"));

  group.command("show").description("Show one group, with its members.")
    .argument("<group>", "its name, or its id")
    .addHelpText("after", examples("runevault entity group show research"))
    .action(async (name, _options, command) => {
      await answerApi(io, command.optsWithGlobals(), { method: "GET", path: groupPath(name) }, showGroup);
    });

  group.command("create").description("Make a group, or change one: a list that is given replaces the one before.")
    .argument("<group>", "its name")
    .option("--policies <POLICIES>", "policies of its members, separated by commas", commaList)
    .option("--members <ENTITIES>", "entities in it by name or id, separated by commas", commaList)
    .option("--groups <GROUPS>", "groups in it by name or id, separated by commas", commaList)
    .option("--metadata <KEY=VALUE>", "a fact about it; may be repeated", pairs("--metadata", "floor=2"), {})
    .addHelpText("after", examples("runevault entity group create research --members alice,bob --policies reports"))
    .action(async (name, { policies, members, groups, metadata }, command) => {
      const globals = command.optsWithGlobals();
      const body = {
        policies,
        member_entity_ids: await idsOf(io, globals, members, entityIdOf),
        member_group_ids: await idsOf(io, globals, groups, groupIdOf),
        metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
      };
      const question = { method: "POST" as const, path: apiPath`identity/group/name/${name}`, body };
      await answerApi(io, globals, question, done(`Wrote the group ${name}`));
    });

  group.command("delete").description("Delete a group; its members lose its policies at their next request.")
    .argument("<group>", "its name, or its id")
    .addHelpText("after", examples("runevault entity group delete research"))
    .action(async (name, _options, command) => {
      await deleteApi(io, command.optsWithGlobals(), groupPath(name), `Deleted the group ${name}`);
    });
}

async function idsOf(
  io: Io,
  globals: ApiOptions,
  names: readonly string[] | undefined,
  idOf: (io: Io, globals: ApiOptions, name: string) => Promise<string>,
): Promise<string[] | undefined> {
  if (names === undefined) return undefined;
  const ids = [];
  for (const name of names) ids.push(await idOf(io, globals, name));
  return ids;
}

/** What `identity/group` says of one; lists that were never set are null. */
interface GroupBody {
  readonly data: {
    readonly id: string;
    readonly name: string;
    readonly policies: readonly string[] | null;
    readonly member_entity_ids: readonly string[] | null;
    readonly member_group_ids: readonly string[] | null;
    readonly metadata: Readonly<Record<string, unknown>> | null;
  };
}

function showGroup({ data }: GroupBody): string {
  return facts([
    ["Group", data.id],
    ["Name", data.name],
    ["Policies", data.policies?.join(",") ?? "none"],
    ...metadataFacts(data.metadata),
    ...(data.member_entity_ids ?? []).map((id) => ["Entity", id] as const),
    ...(data.member_group_ids ?? []).map((id) => ["Group in it", id] as const),
  ]);
}
