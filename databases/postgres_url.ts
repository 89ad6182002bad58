/**
 * Connection strings of PostgreSQL: URLs, and `host=… user=… password='…'`.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import type { ConnectionSettings } from "../vault/database/ports.ts";

/** Where a connection string leads. */
export interface PostgresAddress {
  readonly user: string;
  readonly password: string;
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  readonly database: string;
  readonly sslmode: string;
  /** What else the string says, such as `application_name`. */
  readonly others: Readonly<Record<string, string>>;
}

/** The longest that is read. */
const MAX_LENGTH = 4096;
const KNOWN = new Set(["user", "password", "host", "hostaddr", "port", "dbname", "sslmode"]);
/** Understood by the driver that the strings were written for, and of no use to this one. */
const PASSED_OVER = new Set(["sslrootcert", "sslcert", "sslkey", "sslinline", "connect_timeout", "timezone"]);

/**
 * Reads a connection string. The placeholders stand for the settings as they are: nothing has to be escaped.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function readPostgresUrl({ url, username, password }: ConnectionSettings): PostgresAddress {
  if (url.length > MAX_LENGTH) throw badUrl();
  const fields = isUrl(url) ? fieldsOfUrl(url) : fieldsOfPairs(url);
  const fill = (text: string) =>
    text.replaceAll("{{username}}", () => username).replaceAll("{{password}}", () => password);
  const hosts = (fields.get("hostaddr") ?? fields.get("host") ?? "").split(",").map((one) => one || "localhost");
  const ports = (fields.get("port") ?? "").split(",").map((one) => Number(one || 5432));
  if (ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535)) throw badUrl();
  const user = fill(fields.get("user") ?? username);
  const others = [...fields].filter(([key]) => !KNOWN.has(key) && !PASSED_OVER.has(key.toLowerCase()));
  return {
    user,
    password: fill(fields.get("password") ?? password),
    hosts,
    ports: hosts.map((_, i) => ports[i] ?? ports[0]!),
    database: fill(fields.get("dbname") ?? "") || user,
    sslmode: fields.get("sslmode") ?? "prefer",
    others: Object.fromEntries(others),
  };
}

/** The passwords in a connection string, as they are written there, where they are none of ours. */
export function postgresPasswordsIn(url: string): string[] {
  return rangesOfPasswords(url).map(([start, end]) => url.slice(start, end));
}

/** A connection string without its passwords. */
export function hidePostgresPasswords(url: string): string {
  let hidden = url;
  for (const [start, end] of rangesOfPasswords(url).reverse()) {
    hidden = `${hidden.slice(0, start)}xxxxx${hidden.slice(end)}`;
  }
  return hidden;
}

/** The parameters that hold one, in URLs and in pairs. */
const PASSWORD_PARAMETER = /[?&](?:ssl)?password=([^&]*)/gid;
const PASSWORD_PAIR = /(?:^|\s)(?:ssl)?password\s*=\s*('(?:[^'\\]|\\.)*'|\S*)/gid;

function rangesOfPasswords(url: string): (readonly [start: number, end: number])[] {
  if (url.length > MAX_LENGTH) return [];
  const named = [...url.matchAll(isUrl(url) ? PASSWORD_PARAMETER : PASSWORD_PAIR)].map((found) => found.indices![1]!);
  const all = isUrl(url) ? [...rangeInAuthority(url), ...named] : named;
  return all.filter(([start, end]) => {
    const text = url.slice(start, end).replace(/^'|'$/g, "");
    return text !== "" && text !== "{{password}}";
  });
}

function rangeInAuthority(url: string): (readonly [start: number, end: number])[] {
  const end = authorityEnd(url);
  const colon = url.indexOf(":", url.indexOf("//") + 2);
  return end === -1 || colon === -1 || colon > end ? [] : [[colon + 1, end]];
}

function isUrl(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text);
}

/** Where user and password end: at the last `@` before the path; -1: there are none. */
function authorityEnd(url: string): number {
  const start = url.indexOf("//") + 2;
  const slash = url.indexOf("/", start);
  const query = url.indexOf("?", start);
  const end = Math.min(slash === -1 ? url.length : slash, query === -1 ? url.length : query);
  const at = url.lastIndexOf("@", end);
  return at < start ? -1 : at;
}

/** Read by hand, for `{{password}}` is no part of any URL. */
function fieldsOfUrl(url: string): Map<string, string> {
  const fields = new Map<string, string>();
  const at = authorityEnd(url);
  const start = url.indexOf("//") + 2;
  if (at !== -1) {
    const [user, ...password] = url.slice(start, at).split(":");
    fields.set("user", decoded(user!));
    if (password.length > 0) fields.set("password", decoded(password.join(":")));
  }
  const found = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(url.slice(Math.max(at + 1, start)));
  if (found === null) throw badUrl();
  const [, authority = "", database = "", query = ""] = found;
  const places = authority.split(",").map((one) => /^(\[[^\]]*\]|[^:]*)(?::([0-9]*))?$/.exec(one));
  if (places.includes(null)) throw badUrl();
  fields.set("host", places.map((place) => decoded(place![1]!).replace(/^\[|\]$/g, "")).join(","));
  fields.set("port", places.map((place) => place![2] ?? "").join(","));
  if (database !== "") fields.set("dbname", decoded(database));
  for (const [key, value] of new URLSearchParams(query)) fields.set(key, value);
  return fields;
}

function fieldsOfPairs(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  const pair = /\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?!')\S*))\s*/y;
  let at = 0;
  while (at < text.length) {
    pair.lastIndex = at;
    const found = pair.exec(text);
    if (found === null) throw badUrl();
    fields.set(found[1]!, (found[2] ?? found[3]!).replace(/\\(.)/g, "$1"));
    at = pair.lastIndex;
  }
  if (fields.size === 0) throw badUrl();
  return fields;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badUrl();
  }
}

function badUrl(): VaultError {
  return new VaultError("invalid_argument", "invalid connection_url", {
    hint: "as in postgresql://{{username}}:{{password}}@127.0.0.1:5432/app?sslmode=disable",
  });
}
