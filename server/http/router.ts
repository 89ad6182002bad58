/**
 * From a path to its mount and its route.
 *
 * @module
 */

import type { MountRecord } from "../../vault/storage/identity_records.ts";
import { compilePath, fillPath, type RoutePath } from "./route_path.ts";
import type { Backend, Route } from "./route.ts";

/** Where mounts are found; `vault/mounts/mount_table.ts` fits. */
export interface MountLookup {
  byPath(section: "secret" | "auth", path: string): MountRecord | undefined;
}

/** A route that a path matched. */
export interface RouteMatch {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** What a path leads to. */
export interface Target {
  /** Absent: no mount has this path. */
  readonly mount?: MountRecord;
  /** Absent: the mount knows no such path. */
  readonly match?: RouteMatch;
  /** The path as it is stored, where what was asked for is another spelling of it. */
  readonly canonicalPath?: string;
  /** Whether the path is below one that needs no token, so that "no such path" may be said without one. */
  readonly isBelowOpen: boolean;
}

interface CompiledRoute {
  readonly route: Route;
  readonly path: RoutePath;
}

/** The routes of one type of mount, by the first segment of their paths. */
interface CompiledBackend {
  readonly byFirst: ReadonlyMap<string, readonly CompiledRoute[]>;
  readonly others: readonly CompiledRoute[];
  readonly openPrefixes: readonly string[];
  /** What paths without parameters lead to. */
  readonly literal: Map<string, RouteMatch>;
}

/** Auth mounts stand under `auth/`. */
const AUTH = "auth/";

/** Finds routes. */
export class Router {
  readonly #mounts: MountLookup;
  readonly #compiled = new Map<string, CompiledBackend>();
  readonly #backends: Backend[] = [];

  constructor(mounts: MountLookup) {
    this.#mounts = mounts;
  }

  /** Every type of mount that it finds routes of. */
  get backends(): readonly Backend[] {
    return this.#backends;
  }

  /** Adds types of mounts. */
  add(...backends: readonly Backend[]): this {
    this.#backends.push(...backends);
    for (const backend of backends) this.#compiled.set(`${backend.section}/${backend.type}`, compile(backend.routes));
    return this;
  }

  /** Looks up a path without `/v1/`. */
  find(path: string): Target {
    const found = this.#mountOf(path);
    if (found === undefined) return { isBelowOpen: false };
    const { mount, rest } = found;
    const backend = this.#compiled.get(`${mount.section}/${mount.type}`);
    if (backend === undefined || mount.tainted) return { mount, isBelowOpen: false };
    const match = matchOf(backend, rest);
    const isBelowOpen = backend.openPrefixes.some((prefix) => rest.length > prefix.length && rest.startsWith(prefix));
    if (match === undefined) return { mount, isBelowOpen };
    const bare = canonicalRest(match, mount, rest);
    if (bare === rest) return { mount, match, isBelowOpen };
    return { mount, match, isBelowOpen, canonicalPath: path.slice(0, path.length - rest.length) + bare };
  }

  /** No mount's path is the beginning of another's (built-in ones excepted, which have no routes), so the first wins. */
  #mountOf(path: string): { mount: MountRecord; rest: string } | undefined {
    const section = path.startsWith(AUTH) ? "auth" : "secret";
    const start = section === "auth" ? AUTH.length : 0;
    for (let slash = path.indexOf("/", start); slash !== -1; slash = path.indexOf("/", slash + 1)) {
      const mount = this.#mounts.byPath(section, path.slice(start, slash + 1));
      if (mount !== undefined) return { mount, rest: path.slice(slash + 1) };
    }
    return undefined;
  }
}

function compile(routes: readonly Route[]): CompiledBackend {
  const byFirst = new Map<string, CompiledRoute[]>();
  const others: CompiledRoute[] = [];
  const openPrefixes: string[] = [];
  for (const route of routes) {
    const path = compilePath(route.path);
    const group = path.firstSegment === null ? others : byFirst.get(path.firstSegment) ?? [];
    group.push({ route, path });
    if (path.firstSegment !== null) byFirst.set(path.firstSegment, group);
    if (route.isOpen && path.literalPrefix !== route.path && path.literalPrefix !== "") {
      openPrefixes.push(path.literalPrefix);
    }
  }
  const backend = { byFirst, others, openPrefixes, literal: new Map<string, RouteMatch>() };
  // What a path without parameters leads to is known beforehand, whichever route comes first.
  for (const { path } of routes) {
    const match = /[:*]/.test(path) ? undefined : searched(backend, path);
    if (match !== undefined) backend.literal.set(path, match);
  }
  return backend;
}

/** A list's path has a slash at its end that routes don't write. */
function matchOf(backend: CompiledBackend, rest: string): RouteMatch | undefined {
  const bare = rest.endsWith("/") ? rest.slice(0, -1) : rest;
  return backend.literal.get(bare) ?? searched(backend, bare);
}

function searched(backend: CompiledBackend, bare: string): RouteMatch | undefined {
  const slash = bare.indexOf("/");
  const candidates = backend.byFirst.get(slash === -1 ? bare : bare.slice(0, slash));
  return firstMatch(candidates, bare) ?? firstMatch(backend.others, bare);
}

function canonicalRest({ route, params }: RouteMatch, mount: MountRecord, rest: string): string {
  if (route.stored === undefined) return rest.endsWith("/") ? rest.slice(0, -1) : rest;
  return fillPath(route.path, { ...params, ...route.stored(params, mount) });
}

function firstMatch(candidates: readonly CompiledRoute[] | undefined, path: string): RouteMatch | undefined {
  for (const { route, path: compiled } of candidates ?? []) {
    const found = compiled.pattern.exec(path);
    if (found !== null) return { route, params: paramsOf(compiled.names, found) };
  }
  return undefined;
}

function paramsOf(names: readonly string[], found: RegExpExecArray): Record<string, string> {
  const params: Record<string, string> = {};
  for (let i = 0; i < names.length; i++) params[names[i]!] = found[i + 1]!;
  return params;
}
