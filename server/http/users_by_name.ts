/**
 * Who is meant by a name: users with an evt token, entities, and logins.
 *
 * @module
 */

import type { IdentityEngine } from "../../vault/identity_engine.ts";
import type { Holder } from "../../vault/policies/acl.ts";
import type { User } from "../../vault/state.ts";
import type { TokenParams } from "../../vault/storage/identity_records.ts";
import { policiesOf } from "../../vault/userpass/login.ts";

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

/** What a user may do: by their evt token, or else by their logins; entities that only log in are users too. */
export function holderOfUser(engine: IdentityEngine, name: string): Holder | undefined {
  const { tokens, accounts, identity } = engine;
  const byEvt = tokens.holderOfUser(name);
  if (byEvt !== undefined) return byEvt;
  const known = accounts.find(name)?.record.entityId ?? entityIdsOf(engine, name)[0];
  const entity = known === undefined ? null : identity.followed(known) ?? null;
  const logins = entity === null ? loginsNamed(engine, name) : loginsOf(engine, entity);
  if (entity === null && (known !== undefined || logins.length === 0)) return undefined;
  return { policies: logins.length === 0 ? ["default"] : [...new Set(logins.flatMap(policiesOf))], entity };
}

/** What whoever logs in by a name on a mount has, without their entity's; none where nobody does. */
export function policiesOfLogin(engine: IdentityEngine, mountAccessor: string, name: string): readonly string[] {
  const params = loginBy(engine, mountAccessor, name);
  return params === undefined ? [] : policiesOf(params);
}

/** The logins that lead to an entity. */
function loginsOf(engine: IdentityEngine, entity: User): TokenParams[] {
  const params = engine.identity.aliases.of(entity).map(({ mountAccessor, name }) =>
    loginBy(engine, mountAccessor, name)
  );
  return params.filter((one) => one !== undefined);
}

function loginBy({ mounts, userpass }: IdentityEngine, mountAccessor: string, name: string): TokenParams | undefined {
  const mount = mounts.byAccessor(mountAccessor);
  return mount === undefined ? undefined : userpass.get(mount, name.toLowerCase())?.params;
}

/** The logins of a name. */
function loginsNamed(engine: IdentityEngine, name: string): TokenParams[] {
  const params = loginMounts(engine).map((mount) => engine.userpass.get(mount, name.toLowerCase())?.params);
  return params.filter((one) => one !== undefined);
}

function loginMounts({ mounts }: IdentityEngine) {
  return mounts.list("auth").filter(({ type }) => type === "userpass");
}
