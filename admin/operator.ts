/**
 * Which operator sends a request, and what they may do.
 *
 * Over TCP, and on a socket that is open to a group, a token says who it is: `<data>/admin.token` is the operator `root`,
 * others have tokens of their own. A socket that only its owner may open needs none: whoever opens it is the server's own
 * user, or root.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import type { OperatorScope } from "../vault/storage/records.ts";
import { mayDo, type Operators, ROOT_OPERATOR } from "../vault/operators/operators.ts";
import { isAdminToken } from "./admin_token.ts";
import type { AdminDoor } from "./guard.ts";

/** Who sends a request; for the log and the audit trail. */
export interface AdminOperator {
  /** `root`, an operator's name, or `local:` and the user id of the server. */
  readonly name: string;
  readonly scope: OperatorScope;
  /** Who the client says called sudo; anybody could say so. */
  readonly unverifiedSudoUser?: string;
}

/** What knows tokens. */
export interface OperatorKeys {
  /** SHA-256 of `<data>/admin.token`. */
  readonly rootDigest: Uint8Array;
  readonly operators: Pick<Operators, "identify">;
  /** The user id that the server runs as. */
  readonly uid: number | null;
}

/** The header in which the command line says who called sudo. */
const SUDO_USER_HEADER = "x-runevault-sudo-user";

const BEARER = /^bearer +(\S+)$/i;
const OWN_TOKEN = /^(adm|opr)_/;
const SUDO_USER = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/;

/**
 * Finds out who sends a request.
 *
 * @throws {VaultError} `token_invalid`; never says whether a token was missing or wrong.
 */
export function operatorOf(headers: Headers, door: AdminDoor, keys: OperatorKeys): AdminOperator {
  const presented = BEARER.exec(headers.get("authorization") ?? "")?.[1];
  const isPrivate = door.kind === "unix" && !door.isShared;
  // A private socket carries requests of the identity API too, whose bearer tokens are nobody's here.
  if (isPrivate && (presented === undefined || !OWN_TOKEN.test(presented))) return localOperator(headers, keys);
  const known = presented === undefined ? undefined : holderOf(presented, keys);
  if (known !== undefined) return known;
  throw new VaultError("token_invalid", "This needs an operator's token", {
    hint: door.kind === "tcp"
      ? "send Authorization: Bearer with the text of admin.token in the data folder, or use the unix socket"
      : "set RUNEVAULT_OPERATOR_TOKEN_FILE to the file with your token; `runevault operator add` makes one",
  });
}

/**
 * Refuses an operator whose scope is too small.
 *
 * @throws {VaultError} `scope_denied`.
 */
export function assertMay({ name, scope }: AdminOperator, needed: OperatorScope): void {
  if (mayDo(scope, needed)) return;
  throw new VaultError("scope_denied", `Operator ${JSON.stringify(name)} has the scope ${scope}; this needs ${needed}`);
}

function holderOf(token: string, { rootDigest, operators }: OperatorKeys): AdminOperator | undefined {
  if (isAdminToken(token, rootDigest)) return { name: ROOT_OPERATOR, scope: "all" };
  const found = operators.identify(token);
  return found === undefined ? undefined : { name: found.name, scope: found.scope };
}

function localOperator(headers: Headers, { uid }: OperatorKeys): AdminOperator {
  const said = headers.get(SUDO_USER_HEADER);
  const sudo = said !== null && SUDO_USER.test(said) ? { unverifiedSudoUser: said } : {};
  return { name: `local:${uid ?? "unknown"}`, scope: "all", ...sudo };
}
