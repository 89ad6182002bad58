/**
 * Reading one request of the identity API: verb, path, query and body, each within limits, before anybody looks at the
 * token. Bad requests are refused here whoever sends them.
 *
 * @module
 */

import type { BodyReader } from "./body.ts";
import { parseBoolean } from "./fields.ts";
import { parseJson } from "./json.ts";
import { chain, type Maybe } from "./maybe.ts";
import { HttpProblem } from "./problem.ts";

/** What a verb asks for. */
export type Verb = "read" | "list" | "write" | "patch" | "delete" | "header" | "help";

/** One request, read. */
export interface Incoming {
  readonly verb: Verb;
  /** Without `/v1/`, percent-decoded; a list's ends in `/`. */
  readonly path: string;
  /** Query parameters of a read, list or delete, else the body's fields. */
  readonly fields: ReadonlyMap<string, unknown>;
  readonly bodyText: string;
}

const API = "/v1/";
const MERGE_PATCH = "application/merge-patch+json";
const FORM = "application/x-www-form-urlencoded";
const VERBS: Readonly<Record<string, Verb>> = {
  GET: "read",
  HEAD: "header",
  LIST: "list",
  POST: "write",
  PUT: "write",
  PATCH: "patch",
  DELETE: "delete",
};
const NO_FIELDS: ReadonlyMap<string, unknown> = new Map();
/** These ask for something else than they are named, and are no data. */
const FLAGS = ["list", "help", "scan"];

/**
 * Reads a request.
 *
 * @throws {HttpProblem} 400, 404, 405, 413 or 415 for what can't be read; {@link VaultError} for a body that isn't JSON.
 */
export function readRequest(request: Request, bodies: BodyReader): Maybe<Incoming> {
  const { path, query } = splitUrl(request.url);
  const verb = verbOf(request.method, query);
  if (verb === "write" && path.endsWith("/")) throw new HttpProblem(400, ["cannot write to a path ending in '/'"]);
  if (verb !== "write" && verb !== "patch") {
    const listPath = verb === "list" && !path.endsWith("/") ? `${path}/` : path;
    return { verb, path: listPath, fields: fieldsOfQuery(query), bodyText: "" };
  }
  if (verb === "patch") assertMergePatch(request.headers);
  return chain(request.body === null ? "" : bodies.read(request), (bodyText) => {
    return { verb, path, fields: fieldsOfBody(bodyText, request.headers), bodyText };
  });
}

function splitUrl(url: string): { path: string; query: string } {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const mark = url.indexOf("?", start);
  const encoded = mark === -1 ? url.slice(start) : url.slice(start, mark);
  const path = cleanPath(encoded);
  if (!path.startsWith(API) || path === API) throw new HttpProblem(404, []);
  return { path: path.slice(API.length), query: mark === -1 ? "" : url.slice(mark + 1) };
}

/** Whether a path may need to be cleaned: escapes, doubled slashes, segments that begin with a dot, controls. */
// deno-lint-ignore no-control-regex -- they are what is looked for
const IS_ODD = /%|\/\/|\/\.|[\x00-\x1f\x7f]/;

function cleanPath(encoded: string): string {
  if (!IS_ODD.test(encoded)) return encoded;
  const path = (encoded.includes("%") ? decoded(encoded) : encoded).replace(/\/{2,}/g, "/");
  if (/(^|\/)\.{1,2}(\/|$)/.test(path)) throw new HttpProblem(400, ["relative paths not supported"]);
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(path)) throw new HttpProblem(400, ["control characters in the path"]);
  return path;
}

function decoded(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new HttpProblem(400, ["the path is not UTF-8"]);
  }
}

function verbOf(method: string, query: string): Verb {
  const verb = VERBS[method];
  if (verb === undefined) {
    if (method === "OPTIONS") throw new HttpProblem(400, ["cannot handle internal-only request operation"]);
    throw new HttpProblem(405, []);
  }
  if (verb !== "read" || query === "") return verb;
  const parameters = new URLSearchParams(query);
  if (flagOf(parameters, "list")) return "list";
  if (flagOf(parameters, "help")) return "help";
  if (flagOf(parameters, "scan")) throw new HttpProblem(405, []);
  return verb;
}

function flagOf(parameters: URLSearchParams, name: string): boolean {
  const value = parameters.get(name);
  if (value === null) return false;
  const flag = parseBoolean(value);
  if (flag === undefined) throw new HttpProblem(400, []);
  return flag;
}

/** A parameter that is given several times is a list. */
function fieldsOfQuery(query: string): ReadonlyMap<string, unknown> {
  if (query === "") return NO_FIELDS;
  const parameters = new URLSearchParams(query);
  for (const flag of FLAGS) parameters.delete(flag);
  return grouped(parameters, (all) => all);
}

function grouped(parameters: URLSearchParams, join: (all: string[]) => unknown): ReadonlyMap<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const name of new Set(parameters.keys())) {
    const all = parameters.getAll(name);
    fields.set(name, all.length === 1 ? all[0] : join(all));
  }
  return fields;
}

/** Most clients say no type, or a wrong one; only what neither looks like JSON nor is empty can be a form. */
function fieldsOfBody(text: string, headers: Headers): ReadonlyMap<string, unknown> {
  const first = text.trimStart()[0];
  if (first === undefined) return NO_FIELDS;
  if (first !== "{" && first !== "[" && (headers.get("content-type") ?? "").startsWith(FORM)) {
    return grouped(new URLSearchParams(text), (all) => all.join(","));
  }
  const value = parseJson(text);
  if (value === null) return NO_FIELDS;
  if (value instanceof Map) return value;
  throw new HttpProblem(400, ["failed to decode JSON input: the body must be an object"]);
}

function assertMergePatch(headers: Headers): void {
  const type = headers.get("content-type");
  if (type === null) throw new HttpProblem(400, ["mime: no media type"]);
  if (type.split(";")[0]!.trim().toLowerCase() !== MERGE_PATCH) throw new HttpProblem(415, []);
}
