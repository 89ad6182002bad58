/**
 * One policy, read from HCL or JSON and checked.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { quoteName } from "../names.ts";
import { HclBody, type HclItem, HclProblem, type HclValue, parseHcl } from "./hcl.ts";
import { jsonToHcl } from "./json_policy.ts";
import { StanzaSet } from "./stanza_set.ts";
import { isKnownDirective, splitTemplate, type TemplateParts } from "./template.ts";

/** What a stanza can grant, as bits. */
export const CAPABILITIES = {
  create: 1,
  read: 2,
  update: 4,
  patch: 8,
  delete: 16,
  list: 32,
  sudo: 64,
  deny: 128,
  /** Known to other servers; nothing here asks for them. */
  scan: 0,
  subscribe: 0,
  recover: 0,
} as const;

/** The name of a capability. */
export type Capability = keyof typeof CAPABILITIES;

/** Values that a parameter may have, or must not have; none: any. */
export type ParameterRules = ReadonlyMap<string, readonly HclValue[]>;

/** What one stanza says of its path. */
export interface Stanza {
  readonly path: string;
  readonly parts: TemplateParts;
  readonly line: number;
  readonly capabilities: number;
  readonly allowed: ParameterRules | null;
  readonly denied: ParameterRules | null;
  readonly required: readonly string[];
  /** Seconds; null: not said. */
  readonly minWrappingTtl: number | null;
  readonly maxWrappingTtl: number | null;
}

/** A policy, ready to be merged with others. */
export interface Policy {
  readonly stanzas: readonly Stanza[];
  /** Those without templates, compiled. */
  readonly fixed: StanzaSet;
  readonly templated: readonly Stanza[];
  /** What its author should know. */
  readonly warnings: readonly string[];
}

const MAX_LENGTH = 131_072;
const MAX_STANZAS = 2000;
const KEYS = new Set([
  "capabilities",
  "policy",
  "allowed_parameters",
  "denied_parameters",
  "required_parameters",
  "min_wrapping_ttl",
  "max_wrapping_ttl",
  "comment",
  // They say how lists are paged and which events are told of; neither is there, and nothing is opened without.
  "pagination_limit",
  "subscribe_event_types",
]);
/** Restrictions of other servers that aren't applied here: what they hold back would be open. */
const UNSUPPORTED = new Set(["control_group", "expiration", "list_scan_response_keys_filter_path", "mfa_methods"]);
const OLD_POLICIES: Readonly<Record<string, readonly Capability[]>> = {
  deny: ["deny"],
  read: ["read", "list"],
  write: ["create", "read", "update", "patch", "delete", "list"],
  sudo: ["create", "read", "update", "patch", "delete", "list", "sudo"],
};

/**
 * Reads a policy.
 *
 * @throws {VaultError} `invalid_argument`, naming the line and what is wrong there.
 */
export function parsePolicy(text: string): Policy {
  try {
    return readPolicy(text);
  } catch (error) {
    if (!(error instanceof HclProblem || error instanceof PolicyProblem)) throw error;
    throw new VaultError("invalid_argument", `failed to parse policy: ${error.message}`);
  }
}

class PolicyProblem extends Error {}

function readPolicy(text: string): Policy {
  if (text.length > MAX_LENGTH) throw new PolicyProblem(`longer than ${MAX_LENGTH} characters`);
  const bare = text.replace(/^\ufeff/, "");
  const body = bare.trimStart().startsWith("{") ? jsonToHcl(bare) : parseHcl(bare);
  const stanzas = body.items.flatMap(stanzasOf);
  if (stanzas.length > MAX_STANZAS) throw new PolicyProblem(`more than ${MAX_STANZAS} paths`);
  const isFixed = ({ parts }: Stanza) => parts.length === 1;
  return {
    stanzas,
    fixed: new StanzaSet(stanzas.filter(isFixed).map((stanza) => [stanza.path, stanza])),
    templated: stanzas.filter((stanza) => !isFixed(stanza)),
    warnings: stanzas.flatMap(warningsOf),
  };
}

/** What is taken as it stands and can't be meant. */
function warningsOf({ path, parts, line }: Stanza): string[] {
  const unknown = parts.filter((_, i) => i % 2 === 1).filter((name) => !isKnownDirective(name));
  return [
    ...unknown.map((name) => `{{${name}}} is no template parameter, so this path will never apply`),
    ...(path.startsWith("v1/") ? ["paths are written without v1/, so this path will never apply"] : []),
    ...(path.slice(0, -1).includes("*") ? ["'*' stands for itself but at a path's end; '+' is any one segment"] : []),
  ].map((warning) => `line ${line}: ${warning}`);
}

function stanzasOf(item: HclItem): Stanza[] {
  const [key, path, ...more] = item.keys;
  if (key === "name" && path === undefined) return [];
  if (key !== "path") throw problem(`invalid key ${quoteName(key!)}`, item.line);
  if (path === undefined && item.value instanceof HclBody) return item.value.items.flatMap(pathsOf);
  if (path === undefined || more.length > 0) throw problem("a path stanza has one path", item.line);
  return [stanzaOf(path, item)];
}

/** `path = { "a" = {…} }`, which is how JSON policies look. */
function pathsOf(item: HclItem): Stanza[] {
  if (item.keys.length !== 1) throw problem("a path stanza has one path", item.line);
  return [stanzaOf(item.keys[0]!, item)];
}

function stanzaOf(given: string, { value, line }: HclItem): Stanza {
  if (!(value instanceof HclBody)) throw problem("a path needs a block", line);
  const path = given.replace(/^\/+/, "");
  const parts = splitTemplate(path);
  if (parts === undefined) throw problem("unbalanced template braces in a path", line);
  if (path.includes("+*")) throw problem("a path has '+*', which is forbidden", line);
  const fields = byName(value.items, (name) => name);
  for (const [name, item] of fields) assertKey(name, item.line);
  const min = durationOf(fields.get("min_wrapping_ttl"));
  const max = durationOf(fields.get("max_wrapping_ttl"));
  if (min !== null && max !== null && max < min) {
    throw problem("max_wrapping_ttl is less than min_wrapping_ttl", line);
  }
  return {
    path,
    parts,
    line,
    capabilities: capabilitiesOf(fields),
    allowed: parametersOf(fields.get("allowed_parameters")),
    denied: parametersOf(fields.get("denied_parameters")),
    required: textsOf(fields.get("required_parameters")).map((name) => name.toLowerCase()),
    minWrappingTtl: min,
    maxWrappingTtl: max,
  };
}

function assertKey(name: string, line: number): void {
  if (KEYS.has(name)) return;
  if (!UNSUPPORTED.has(name)) throw problem(`invalid key ${quoteName(name)}`, line);
  throw problem(`"${name}" is not supported, and what it restricts would be open without it`, line);
}

function fieldName({ keys, line }: HclItem): string {
  if (keys.length !== 1) throw problem("unexpected label", line);
  return keys[0]!;
}

function capabilitiesOf(fields: ReadonlyMap<string, HclItem>): number {
  let bits = 0;
  const old = fields.get("policy");
  if (old !== undefined) {
    const isKnown = typeof old.value === "string" && Object.hasOwn(OLD_POLICIES, old.value);
    const names = isKnown ? OLD_POLICIES[old.value as string] : undefined;
    if (names === undefined) throw problem("invalid policy", old.line);
    for (const name of names) bits |= CAPABILITIES[name];
  }
  const item = fields.get("capabilities");
  for (const name of textsOf(item)) {
    if (!Object.hasOwn(CAPABILITIES, name)) throw problem(`invalid capability ${quoteName(name)}`, item!.line);
    bits |= CAPABILITIES[name as Capability];
  }
  // Whoever is denied anything on a path is denied all of it.
  return bits & CAPABILITIES.deny ? CAPABILITIES.deny : bits;
}

function textsOf(item: HclItem | undefined): string[] {
  if (item === undefined) return [];
  if (Array.isArray(item.value) && item.value.every((one) => typeof one === "string")) return item.value as string[];
  throw problem(`${quoteName(item.keys[0]!)} must be a list of text`, item.line);
}

function parametersOf(item: HclItem | undefined): ParameterRules | null {
  if (item === undefined) return null;
  if (!(item.value instanceof HclBody)) throw problem(`${quoteName(item.keys[0]!)} must be an object`, item.line);
  const rules = new Map<string, readonly HclValue[]>();
  for (const [name, { value, line }] of byName(item.value.items, (name) => name.toLowerCase())) {
    if (!Array.isArray(value)) throw problem(`${quoteName(name)} must be a list`, line);
    rules.set(name, value);
  }
  return rules;
}

/** Items by their names; one that stands twice is refused, for which of the two would count? */
function byName(items: readonly HclItem[], fold: (name: string) => string): Map<string, HclItem> {
  const named = new Map<string, HclItem>();
  for (const item of items) {
    const name = fold(fieldName(item));
    if (named.has(name)) throw problem(`${quoteName(name)} stands twice`, item.line);
    named.set(name, item);
  }
  return named;
}

function durationOf(item: HclItem | undefined): number | null {
  if (item === undefined) return null;
  if (typeof item.value === "number" && Number.isInteger(item.value) && item.value >= 0) return item.value;
  const found = typeof item.value === "string" ? /^([0-9]{1,9})(s|m|h|d)?$/.exec(item.value) : null;
  if (found === null) throw problem(`${quoteName(item.keys[0]!)} must be a duration, such as "60s"`, item.line);
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[found[2] ?? "s"]!;
  return Number(found[1]) * unit;
}

function problem(reason: string, line: number): PolicyProblem {
  return new PolicyProblem(`line ${line}: ${reason}`);
}
