/**
 * Metadata of entities: what may be said, and who said it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";
import type { Json, MetadataEntry } from "../storage/identity_records.ts";
import type { Write } from "../storage/store.ts";

const MAX_PAIRS = 64;
const MAX_KEY_BYTES = 128;
const MAX_VALUE_BYTES = 4096;
const MAX_TOTAL_BYTES = 16_384;
const KEY = /^[A-Za-z0-9=/+_-]+$/;

/** Metadata as it is given. */
export type GivenMetadata = Readonly<Record<string, Json>>;
/** Metadata as it is kept. */
export type Metadata = Readonly<Record<string, MetadataEntry>>;

/** Who writes to an entity. */
export interface Author {
  /** The entity that writes; undefined: none, as with root and on the admin API. */
  readonly entityId: string | undefined;
  /** Whether the writer's policies grant `sudo` on the path: an administrator. */
  readonly hasSudo: boolean;
  /** The writes that note on the author's token which session it says that it is. */
  readonly noteSession?: ((sessionId: string) => readonly Write[]) | undefined;
}

/**
 * The metadata that stands after a full replace.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function replaceMetadata(given: GivenMetadata, author: Author): Metadata {
  assertPlainKeys(given);
  const entries = Object.entries(given).map(([key, value]) => [key, entryBy(value, author)] as const);
  return checked(Object.fromEntries(entries));
}

/**
 * The metadata after an entity wrote to itself: what it names is added or changed; keys of others stay theirs.
 *
 * @throws {VaultError} `permission_denied` naming the key that isn't the entity's to change, `invalid_argument`.
 */
export function mergeOwnMetadata(before: Metadata, given: GivenMetadata, author: Author): Metadata {
  assertPlainKeys(given);
  const merged: Record<string, MetadataEntry> = { ...before };
  for (const [key, value] of Object.entries(given)) {
    const held = Object.hasOwn(before, key) ? before[key] : undefined;
    if (held !== undefined && isSame(held.value, value)) continue;
    if (held !== undefined && held.by !== author.entityId) throw notTheirs(key);
    merged[key] = entryBy(value, author);
  }
  return checked(merged);
}

/**
 * The metadata after a JSON merge patch (RFC 7396): null takes a key away.
 *
 * @param isOwn Whether an entity without `sudo` writes to itself.
 * @throws {VaultError} `permission_denied`, `invalid_argument`.
 */
export function patchMetadata(before: Metadata, patch: GivenMetadata, author: Author, isOwn: boolean): Metadata {
  assertPlainKeys(patch);
  const patched: Record<string, MetadataEntry> = { ...before };
  for (const [key, value] of Object.entries(patch)) {
    const held = Object.hasOwn(before, key) ? before[key] : undefined;
    if (isOwn && held !== undefined && held.by !== author.entityId && !isSame(held.value, value)) throw notTheirs(key);
    if (value === null) delete patched[key];
    else if (held === undefined || !isSame(held.value, value)) patched[key] = entryBy(value, author);
  }
  return checked(patched);
}

/**
 * Who set each key of a plain map after it was replaced: keys whose value stays keep their author, unless an administrator
 * takes them over.
 */
export function authorsAfter(
  before: Readonly<Record<string, Json>>,
  authors: Readonly<Record<string, string>>,
  after: Readonly<Record<string, Json>>,
  author: Author,
): Readonly<Record<string, string>> {
  const isOperator = author.hasSudo || author.entityId === undefined;
  if (isOperator) return {};
  const by = (key: string) =>
    Object.hasOwn(before, key) && isSame(before[key]!, after[key]!) ? authors[key] : author.entityId;
  const set = Object.keys(after).map((key) => [key, by(key)] as const);
  return Object.fromEntries(set.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/** Metadata as clients read it; null where there is none. */
export function plainMetadata(metadata: Metadata | undefined): Record<string, Json> | null {
  const entries = Object.entries(metadata ?? {});
  return entries.length === 0 ? null : Object.fromEntries(entries.map(([key, entry]) => [key, entry.value]));
}

/** An administrator's word is nobody's own: it takes the key over. */
function entryBy(value: Json, { entityId, hasSudo }: Author): MetadataEntry {
  return hasSudo || entityId === undefined ? { value } : { value, by: entityId };
}

/** Assigning to this key would change what the object is, not what it holds. */
function assertPlainKeys(given: GivenMetadata): void {
  if (Object.hasOwn(given, "__proto__")) throw invalid("a key contains invalid characters");
}

function checked(metadata: Record<string, MetadataEntry>): Metadata {
  const entries = Object.entries(metadata);
  if (entries.length > MAX_PAIRS) throw invalid(`at most ${MAX_PAIRS} pairs are allowed`);
  let total = 0;
  for (const [key, { value }] of entries) total += assertPair(key, value);
  if (total > MAX_TOTAL_BYTES) throw invalid(`all of it may take ${MAX_TOTAL_BYTES} bytes at most`);
  return metadata;
}

function assertPair(key: string, value: Json): number {
  const keyBytes = Buffer.byteLength(key);
  if (keyBytes === 0 || keyBytes > MAX_KEY_BYTES) throw invalid(`a key is 1 to ${MAX_KEY_BYTES} bytes`);
  if (!KEY.test(key)) throw invalid("a key contains invalid characters");
  if (key.startsWith("vault-")) throw invalid('a key must not begin with "vault-"');
  const valueBytes = Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));
  if (valueBytes > MAX_VALUE_BYTES) throw invalid(`the value of "${key}" is longer than ${MAX_VALUE_BYTES} bytes`);
  return keyBytes + valueBytes;
}

function isSame(a: Json, b: Json): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function notTheirs(key: string): VaultError {
  return new VaultError("permission_denied", `metadata key ${JSON.stringify(key)} was set by somebody else`);
}

function invalid(reason: string): VaultError {
  return new VaultError("invalid_argument", `invalid entity metadata: ${reason}`, {
    hint: "keys are letters, digits, '=', '/', '+', '_' and '-'",
  });
}
