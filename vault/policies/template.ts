/**
 * Templates in the paths of policies: `identity/entity/id/{{identity.entity.id}}`.
 *
 * @module
 */

import { type IdentityView, ownIds } from "../identity/view.ts";
import type { Json } from "../storage/identity_records.ts";

/** A path with the names of what is put into it, alternating: text, name, text, …; one text where there is none. */
export type TemplateParts = readonly string[];

/** What a template is rendered for. */
export interface TemplateSubject {
  /** Null: the caller has no entity. */
  readonly view: IdentityView | null;
  /** The accessor that a name in a template means: itself, or that of a stable name. */
  accessorOf(name: string): string | undefined;
  /** Values that were looked up before; absent: they are looked up each time. */
  readonly known?: Map<string, string | undefined>;
}

/** The same subject, each value of which is looked up once: a policy may ask for it in a thousand paths. */
export function remembering(subject: TemplateSubject): TemplateSubject {
  return { ...subject, known: new Map() };
}

/** A path without its stanza: why. */
export interface Dropped {
  readonly dropped: string;
}

/**
 * Splits a path.
 *
 * @returns undefined where the braces don't pair up.
 */
export function splitTemplate(text: string): TemplateParts | undefined {
  const parts: string[] = [];
  let rest = text;
  for (let open = rest.indexOf("{{"); open !== -1; open = rest.indexOf("{{")) {
    const close = rest.indexOf("}}", open);
    if (close === -1 || rest.slice(0, open).includes("}}")) return undefined;
    const name = rest.slice(open + 2, close);
    if (name.includes("{{")) return undefined;
    parts.push(rest.slice(0, open), name.trim());
    rest = rest.slice(close + 2);
  }
  return rest.includes("}}") ? undefined : [...parts, rest];
}

/** Whether a name is one that can ever have a value. */
export function isKnownDirective(name: string): boolean {
  return /^identity\.(entity\.(id|name|metadata\..+|aliases\.[^.]+\.(id|name|metadata\..+|custom_metadata\..+))|groups\.(ids|names)\..+\.(id|name|metadata\..+))$/
    .test(name);
}

/**
 * Renders a path for a caller.
 *
 * A value that has a slash or a wildcard would widen what the author of the policy meant, and one that the entity set
 * itself is its own wish: such a stanza is dropped, as one whose value is missing (S12).
 */
export function renderTemplate(parts: TemplateParts, subject: TemplateSubject): string | Dropped {
  let path = parts[0]!;
  for (let i = 1; i < parts.length; i += 2) {
    const name = parts[i]!;
    const value = valueIn(subject, name);
    if (value === undefined || value === "") return { dropped: `{{${name}}} has no value` };
    if (/[/*+]/.test(value)) return { dropped: `the value of {{${name}}} has a slash or a wildcard` };
    path += value + parts[i + 1]!;
  }
  return path;
}

function valueIn(subject: TemplateSubject, name: string): string | undefined {
  const { view, known } = subject;
  if (view === null) return undefined;
  if (known?.has(name)) return known.get(name);
  const value = valueOf(name, view, subject);
  known?.set(name, value);
  return value;
}

function valueOf(name: string, view: IdentityView, subject: TemplateSubject): string | undefined {
  if (name === "identity.entity.id") return view.id;
  if (name === "identity.entity.name") return view.name;
  const metadata = after(name, "identity.entity.metadata.");
  if (metadata !== undefined) return metadataOf(view, metadata);
  const alias = after(name, "identity.entity.aliases.");
  if (alias !== undefined) return aliasValue(view, alias, subject);
  const group = after(name, "identity.groups.");
  return group === undefined ? undefined : groupValue(view, group);
}

function metadataOf(view: IdentityView, key: string): string | undefined {
  const entry = ownValue(view.metadata, key);
  return entry === undefined || ownIds(view).has(entry.by) ? undefined : textOf(entry.value);
}

function aliasValue(view: IdentityView, rest: string, { accessorOf }: TemplateSubject): string | undefined {
  const dot = rest.indexOf(".");
  if (dot === -1) return undefined;
  const accessor = accessorOf(rest.slice(0, dot));
  const alias = accessor === undefined ? undefined : view.alias(accessor);
  if (alias === undefined) return undefined;
  const field = rest.slice(dot + 1);
  if (field === "id") return alias.id;
  if (field === "name") return alias.name;
  const [custom, own] = [after(field, "custom_metadata."), after(field, "metadata.")];
  if (custom !== undefined) return toldValue(view, alias.customMetadata, alias.customMetadataBy, custom);
  return own === undefined ? undefined : ownValue(alias.metadata, own);
}

/** Group names may have dots, so the group is found by what its name leaves over. */
function groupValue(view: IdentityView, rest: string): string | undefined {
  const [ids, names] = [after(rest, "ids."), after(rest, "names.")];
  for (const group of view.groups()) {
    const field = ids !== undefined ? after(ids, `${group.id}.`) : after(names ?? "", `${group.name}.`);
    if (field === undefined) continue;
    if (field === "id" && names !== undefined) return group.id;
    if (field === "name" && ids !== undefined) return group.name;
    const key = after(field, "metadata.");
    if (key !== undefined) return toldValue(view, group.metadata, group.metadataBy, key);
  }
  return undefined;
}

function after(text: string, prefix: string): string | undefined {
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
}

/** A value that somebody other than the entity set. */
function toldValue(
  view: IdentityView,
  map: Readonly<Record<string, Json>>,
  authors: Readonly<Record<string, string>> = {},
  key: string,
): string | undefined {
  const value = ownValue(map, key);
  return value === undefined || ownIds(view).has(ownValue(authors, key) ?? "") ? undefined : textOf(value);
}

function ownValue<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
