/**
 * What to try next where the identity API's own words, which other programs match, are too short for people.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/** What was asked when it was refused. */
interface Asked {
  readonly method: string;
  readonly path: string;
}

const LOG_IN = "export RUNEVAULT_TOKEN=$(runevault login NAME)";
const CLOSED = "a login is closed for a while after wrong passwords, and while its user is disabled: an operator " +
  "sees it with `runevault user locked` and `runevault user show`";
const TAKEN = "an entity of this name is there already: use `runevault entity update`";
const OPERATIONS: Readonly<Record<string, string>> = { GET: "read", PATCH: "patch", DELETE: "delete" };

/** What lists those of a kind, by the path of one. The first that matches counts. */
const LISTS: readonly (readonly [path: RegExp, list: string])[] = [
  [/^identity\/entity\//, "entity list"],
  [/^identity\/entity-alias\//, "entity alias list"],
  [/^identity\/group\//, "entity group list"],
  [/^identity\/oidc\/key\//, "oidc key list"],
  [/^identity\/oidc\/role\//, "oidc role list"],
  [/^sys\/policies\/acl\//, "policy list"],
  [/^sys\/policies\/password\//, "db password-policy list"],
  [/\/config\//, "db connection list"],
  [/\/static-roles\//, "db static-role list"],
  [/\/roles\//, "db role list"],
];

const NOTHING_THERE = /^There is no such thing$/;

/** Words of the API with what mends it. The first that matches counts. */
const HINTS: readonly (readonly [words: RegExp, hint: (asked: Asked) => string | undefined])[] = [
  [/invalid token/, () => `the token has ended or never was: ${LOG_IN}`],
  [/^no entity associated/, () => LOG_IN],
  [/^permission denied$/, (asked) => isLogin(asked) ? CLOSED : explained(asked)],
  [/^no handler for route "database\//, () => "mount the engine: runevault db enable"],
  [/^check-and-set parameter/, ({ path }) => path === "identity/entity" ? TAKEN : undefined],
  [/^metadata key .* was set by somebody else/, () => "only an operator changes it: it may stand in signed tokens"],
];

/** The same failure, with a hint where it has none and one is known; what isn't there is named. */
export function hinted(error: unknown, asked: Asked): unknown {
  if (!(error instanceof VaultError) || error.hint !== undefined) return error;
  if (NOTHING_THERE.test(error.message)) return missing(error, asked);
  const hint = HINTS.find(([words]) => words.test(error.message))?.[1](asked);
  if (hint === undefined) return error;
  return new VaultError(error.kind, error.message, { hint, data: error.data, cause: error.cause });
}

/** The API says no more than 404 of what isn't there. */
function missing(error: VaultError, { path }: Asked): VaultError {
  const list = LISTS.find(([paths]) => paths.test(path))?.[1];
  if (list === undefined) return error;
  const noun = list.replace(/^db | list$/g, "").replaceAll("-", " ");
  const name = decodeURIComponent(path.split("/").at(-1)!);
  const options = { hint: `see \`runevault ${list}\``, data: error.data, cause: error.cause };
  return new VaultError(error.kind, `There is no ${noun} ${JSON.stringify(name)}`, options);
}

function isLogin({ path }: Asked): boolean {
  return /^auth\/.+\/login\//.test(path);
}

function explained({ method, path }: Asked): string {
  const [bare, query] = path.split("?");
  const operation = query === "list=true" ? "list" : OPERATIONS[method] ?? "update";
  const decoded = decodeURIComponent(bare!);
  // The hint may be pasted into a shell; odd paths are written by hand.
  const shown = /^[\w/@.+-]+$/.test(decoded) ? decoded : "PATH";
  return `an operator sees why: runevault policy explain ${shown} ${operation} --token-stdin`;
}
