/**
 * The paths of routes: what `users/:email.username/password` and `group/name/*rest.name` match.
 *
 * @module
 */

/** Word characters at both ends, inside also `-` and `.`: the generic name of Vault's paths. */
const NAME = "[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?";
/** A name, or an e-mail address. */
const EMAIL = "[A-Za-z0-9_](?:[A-Za-z0-9_.@+-]*[A-Za-z0-9_])?";
const KINDS: Readonly<Record<string, string>> = { name: NAME, email: EMAIL, segment: "[^/]+", rest: ".+" };

/** A route's path, ready to match. */
export interface RoutePath {
  readonly pattern: RegExp;
  readonly names: readonly string[];
  /** What stands before the first parameter. */
  readonly literalPrefix: string;
  /** The first segment where it is literal; null where a parameter comes first. */
  readonly firstSegment: string | null;
}

/** Compiles the path of a route; see `Route.path` for its grammar. */
export function compilePath(path: string): RoutePath {
  const names: string[] = [];
  const segments = path.split("/").map((segment) => {
    if (segment[0] !== ":" && segment[0] !== "*") return escapeRegExp(segment);
    const [kind, name] = parameterOf(segment);
    names.push(name);
    return `(${kind})`;
  });
  const at = path.search(/[:*]/);
  return {
    pattern: new RegExp(`^${segments.join("/")}$`, "s"),
    names,
    literalPrefix: at === -1 ? path : path.slice(0, at),
    firstSegment: at === 0 || path === "" ? null : path.split("/")[0]!,
  };
}

/** `:email.username` is of the kind `email`; `:name` alone is a generic name of that name. */
function parameterOf(segment: string): [pattern: string, name: string] {
  const [head, tail] = segment.slice(1).split(".") as [string, string?];
  if (segment[0] === "*") return [KINDS["rest"]!, tail ?? head];
  return [KINDS[head] ?? NAME, tail ?? head];
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** A route's path with values in the place of its parameters. */
export function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  return path.split("/").map((segment) => {
    return segment[0] === ":" || segment[0] === "*" ? params[parameterOf(segment)[1]]! : segment;
  }).join("/");
}

/** A route's path as OpenAPI writes it: `users/{username}`. */
export function openApiPath(path: string): string {
  return path.split("/").map((segment) => {
    return segment[0] === ":" || segment[0] === "*" ? `{${parameterOf(segment)[1]}}` : segment;
  }).join("/");
}
