/**
 * An entity as policies and templates may see it.
 *
 * @module
 */

import type { UserRecord } from "../storage/records.ts";
import type { GroupRecord, MetadataEntry } from "../storage/identity_records.ts";

/** An alias as a template may show it. */
export interface AliasView {
  readonly id: string;
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly customMetadata: Readonly<Record<string, string>>;
  readonly customMetadataBy?: Readonly<Record<string, string>>;
}

/** One entity with what belongs to it, as it is now. */
export interface IdentityView {
  readonly id: string;
  readonly name: string;
  readonly record: UserRecord;
  readonly metadata: Readonly<Record<string, MetadataEntry>>;
  /** The entity's alias on the mount with this accessor. */
  alias(mountAccessor: string): AliasView | undefined;
  /** Groups that the entity is in, directly or through other groups. */
  groups(): readonly GroupRecord[];
}

/** The ids that an entity goes by: its own, and those of what was merged into it. What one of them said, it said. */
export function ownIds({ id, record }: Pick<IdentityView, "id" | "record">): ReadonlySet<string | undefined> {
  return new Set([id, ...record.mergedEntityIds ?? []]);
}

/** The name that an entity was given; `IdentityIndex.nameOf` is the one it has. */
export function entityNameOf(record: UserRecord): string {
  return record.entityName ?? record.name;
}

/** Whether an entity is there: neither deleted nor merged into another. */
export function isPresent(record: UserRecord): boolean {
  return record.deletedAt === undefined && record.mergedInto === undefined;
}
