/**
 * Entities as people name and read them: by name or id, with what they are known as.
 *
 * @module
 */

import { type ApiOptions, apiPath, askApi, valueText } from "./api_session.ts";
import { facts } from "./format.ts";
import type { Io } from "./io.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Where an entity is, by its name or its id. */
export function entityPath(name: string): string {
  return UUID.test(name) ? apiPath`identity/entity/id/${name}` : apiPath`identity/entity/name/${name}`;
}

/** The id of an entity; `not_found` where nobody has the name. */
export async function entityIdOf(io: Io, globals: ApiOptions, name: string): Promise<string> {
  return UUID.test(name) ? name : await idAt(io, globals, entityPath(name));
}

/** Where a group is, by its name or its id. */
export function groupPath(name: string): string {
  return UUID.test(name) ? apiPath`identity/group/id/${name}` : apiPath`identity/group/name/${name}`;
}

/** The id of a group; `not_found` where none has the name. */
export async function groupIdOf(io: Io, globals: ApiOptions, name: string): Promise<string> {
  return UUID.test(name) ? name : await idAt(io, globals, groupPath(name));
}

async function idAt(io: Io, globals: ApiOptions, path: string): Promise<string> {
  const text = await askApi(io, globals, { method: "GET", path });
  return (JSON.parse(text) as { data: { id: string } }).data.id;
}

/** What `identity/entity` says of one. */
interface EntityBody {
  readonly data: {
    readonly id: string;
    readonly name: string;
    readonly disabled: boolean;
    readonly version: number;
    readonly policies: readonly string[];
    readonly metadata: Readonly<Record<string, unknown>> | null;
    readonly aliases: readonly { readonly id: string; readonly name: string; readonly mount_path: string }[];
    readonly direct_group_ids: readonly string[];
    readonly inherited_group_ids: readonly string[];
  };
}

/** One entity as lines of facts. */
export function showEntity({ data }: EntityBody): string {
  return facts([
    ["Entity", data.id],
    ["Name", data.name],
    ["State", data.disabled ? "disabled" : "enabled"],
    ["Version", String(data.version)],
    ["Policies", data.policies.length === 0 ? "none" : data.policies.join(",")],
    ...metadataFacts(data.metadata),
    ...data.aliases.map(({ id, name, mount_path }) => ["Alias", `${name} on ${mount_path} (${id})`] as const),
    ...data.direct_group_ids.map((id) => ["Group", id] as const),
    ...data.inherited_group_ids.map((id) => ["Group", `${id}, by another group`] as const),
  ]);
}

/** A line for each metadata key. */
export function metadataFacts(metadata: Readonly<Record<string, unknown>> | null): [label: string, value: string][] {
  return Object.entries(metadata ?? {}).map(([key, value]) => ["Metadata", `${key}=${valueText(value)}`]);
}
