/**
 * Templates of identity tokens: JSON with directives in `{{ }}`.
 *
 * A directive that stands alone is rendered as JSON, one inside a string as that string's text; values are data and are
 * never looked at for directives again.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { type AliasView, type IdentityView, ownIds } from "../identity/view.ts";
import type { Json } from "../storage/identity_records.ts";

/** One piece: text as it stands, or a directive. */
type Piece = string | { readonly name: string; readonly isInString: boolean };

/** A template, split. */
export interface ClaimTemplate {
  readonly pieces: readonly Piece[];
}

/** What a template is rendered for. */
export interface ClaimSubject {
  readonly view: IdentityView;
  /** Seconds since 1970. */
  readonly now: number;
  /** Metadata keys that an entity may have set itself. */
  readonly selfAsserted: readonly string[];
  /** The accessor that a name in a template means: itself, or that of a stable name. */
  accessorOf(name: string): string | undefined;
}

const MAX_LENGTH = 65_536;
/** One directive can stand for 16 KiB of metadata, and a template has room for thousands. */
const MAX_RENDERED_LENGTH = 262_144;
const DIRECTIVE =
  /^identity\.entity\.(id|name|metadata(\..+)?|groups\.(names|ids)|aliases\.[^.]+\.(id|name|metadata(\..+)?|custom_metadata(\..+)?))$|^time\.now(\.(plus|minus)\..+)?$/;

/**
 * Splits a template and checks every directive.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function parseTemplate(text: string): ClaimTemplate {
  if (text.length > MAX_LENGTH) {
    throw new VaultError("invalid_argument", `template is longer than ${MAX_LENGTH} characters`);
  }
  const pieces: Piece[] = [];
  let start = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (isInString && char === "\\") at++;
    else if (char === '"') isInString = !isInString;
    else if (char === "{" && text[at + 1] === "{") {
      const end = text.indexOf("}}", at);
      const name = end === -1 ? "" : text.slice(at + 2, end).trim();
      assertDirective(name);
      pieces.push(text.slice(start, at), { name, isInString });
      start = end + 2;
      at = end + 1;
    }
  }
  return { pieces: [...pieces, text.slice(start)] };
}

/**
 * The JSON text of a template for a subject.
 *
 * @throws {VaultError} `invalid_argument` where it gets too long.
 */
export function renderTemplate({ pieces }: ClaimTemplate, subject: ClaimSubject): string {
  let text = "";
  for (const piece of pieces) {
    text += typeof piece === "string" ? piece : renderDirective(piece.name, piece.isInString, subject);
    if (text.length > MAX_RENDERED_LENGTH) {
      throw new VaultError("invalid_argument", `the claims are longer than ${MAX_RENDERED_LENGTH} characters`);
    }
  }
  return text;
}

function renderDirective(name: string, isInString: boolean, subject: ClaimSubject): string {
  const value = valueOf(name, subject);
  if (!isInString) return JSON.stringify(value);
  return JSON.stringify(typeof value === "string" ? value : JSON.stringify(value)).slice(1, -1);
}

function assertDirective(name: string): void {
  if (name === "" || name.includes("{")) {
    throw new VaultError("invalid_argument", "error parsing template: unbalanced templating characters");
  }
  if (name.startsWith("identity.groups.")) {
    throw new VaultError(
      "invalid_argument",
      "error parsing template: string contains groups template directives but no groups were provided",
      { hint: "use identity.entity.groups.names" },
    );
  }
  if (!DIRECTIVE.test(name)) {
    throw new VaultError(
      "invalid_argument",
      "error parsing template: no value could be found for one of the template directives",
    );
  }
  const found = /^time\.now\.(?:plus|minus)\.(.+)$/.exec(name);
  if (found !== null && secondsOf(found[1]!) === undefined) {
    throw new VaultError("invalid_argument", "error parsing template: invalid duration");
  }
}

function valueOf(name: string, subject: ClaimSubject): Json {
  const { view, now } = subject;
  if (name === "time.now") return now;
  const time = /^time\.now\.(plus|minus)\.(.+)$/.exec(name);
  if (time !== null) return now + (time[1] === "plus" ? 1 : -1) * secondsOf(time[2]!)!;
  if (name === "identity.entity.id") return view.id;
  if (name === "identity.entity.name") return view.name;
  if (name === "identity.entity.groups.names") return view.groups().map((group) => group.name);
  if (name === "identity.entity.groups.ids") return view.groups().map((group) => group.id);
  if (name === "identity.entity.metadata") return metadataOf(subject);
  const key = after(name, "identity.entity.metadata.");
  if (key !== undefined) return own(metadataOf(subject), key) ?? "";
  return aliasValue(after(name, "identity.entity.aliases.")!, subject);
}

/** What the entity said of itself counts as missing, unless the role lists it (S12). */
function metadataOf({ view, selfAsserted }: ClaimSubject): Record<string, Json> {
  const own = ownIds(view);
  const told = Object.entries(view.metadata).filter(([key, { by }]) => !own.has(by) || selfAsserted.includes(key));
  return Object.fromEntries(told.map(([key, { value }]) => [key, value]));
}

/** As {@link metadataOf}, of an alias. */
function customMetadataOf(alias: AliasView, { view, selfAsserted }: ClaimSubject): Record<string, string> {
  const [mine, authors] = [ownIds(view), alias.customMetadataBy ?? {}];
  const isTold = (key: string) => !mine.has(own(authors, key) ?? "") || selfAsserted.includes(key);
  return Object.fromEntries(Object.entries(alias.customMetadata).filter(([key]) => isTold(key)));
}

function aliasValue(rest: string, subject: ClaimSubject): Json {
  const { view, accessorOf } = subject;
  const dot = rest.indexOf(".");
  const accessor = accessorOf(rest.slice(0, dot));
  const alias = accessor === undefined ? undefined : view.alias(accessor);
  const field = rest.slice(dot + 1);
  if (field === "id" || field === "name") return alias?.[field] ?? "";
  const at = field.indexOf(".");
  if (alias === undefined) return at === -1 ? {} : "";
  const map = field.startsWith("custom_metadata") ? customMetadataOf(alias, subject) : alias.metadata;
  return at === -1 ? map : own(map, field.slice(at + 1)) ?? "";
}

function own<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function after(text: string, prefix: string): string | undefined {
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
}

/** `1d`, `90s`, `1h30m`; undefined where it is none. */
function secondsOf(text: string): number | undefined {
  if (/^[0-9]{1,8}d$/.test(text)) return Number(text.slice(0, -1)) * 86_400;
  if (!/^([0-9]{1,9}[hms])+$/.test(text)) return undefined;
  const unit: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };
  return [...text.matchAll(/([0-9]+)([hms])/g)].reduce((sum, [, n, u]) => sum + Number(n) * unit[u!]!, 0);
}
