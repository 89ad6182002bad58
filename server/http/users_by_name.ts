/**
 * Who is meant by a name: users with an evt token, entities, and logins.
 *
 * @module
 */

import type { IdentityEngine } from "../../vault/identity_engine.ts";
import type { Holder } from "../../vault/policies/acl.ts";

/** Whether somebody logs in, or is known, by a name. */
export function isNameOfUser(engine: IdentityEngine, name: string): boolean {
  return entityIdsOf(engine, name).length > 0 ||
    loginMounts(engine).some((m) => engine.userpass.get(m, name) !== undefined);
}

/** The entities that a name may stand for: those of this name, and those that have it as an alias. */
export function entityIdsOf(engine: IdentityEngine, name: string): string[] {
  const { identity, accounts } = engine;
  const named = [identity.entities.byName(name), accounts.find(name)].map((user) => user?.record.entityId);
  const aliases = loginMounts(engine).map(({ accessor }) => identity.aliases.byName(accessor, name)?.entityId);
  return [...new Set([...named, ...aliases])].filter((id) => id !== undefined);
}

/** What a user may do: by their evt token, or else by their logins. */
export function holderOfUser({ tokens, accounts, identity }: IdentityEngine, name: string): Holder | undefined {
  const byEvt = tokens.holderOfUser(name);
  if (byEvt !== undefined) return byEvt;
  const entity = accounts.find(name);
  if (entity === undefined || identity.followed(entity.record.entityId) === undefined) return undefined;
  return { policies: [...new Set(["default", ...accounts.loginsOf(name).flatMap((login) => login.policies)])], entity };
}

function loginMounts({ mounts }: IdentityEngine) {
  return mounts.list("auth").filter(({ type }) => type === "userpass");
}
