/**
 * Service tokens as clients read them: the `auth` block of an answer, and the facts of a look-up.
 *
 * @module
 */

import type { Identity } from "../../vault/identity/identity.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import { ROOT_TOKEN_PATH } from "../../vault/service_tokens/root_tokens.ts";
import type { ServiceTokenRecord } from "../../vault/storage/identity_records.ts";
import type { AuthBlock } from "./route.ts";
import { rfc3339 } from "./timestamps.ts";

/**
 * The `auth` block of a token.
 *
 * @param token Its text; empty where only its accessor was shown.
 */
export function authBlock(token: string, record: ServiceTokenRecord, identity: Identity): AuthBlock {
  const own = identityPolicies(record, identity);
  return {
    client_token: token,
    accessor: record.accessor,
    policies: [...new Set([...record.policies, ...own])].sort(),
    token_policies: record.policies,
    ...(own.length === 0 ? {} : { identity_policies: own }),
    metadata: record.meta,
    lease_duration: record.ttl,
    renewable: record.renewable,
    entity_id: record.entityId,
    token_type: "service",
    orphan: record.parent === null,
    mfa_requirement: null,
    num_uses: Math.max(0, record.numUses),
  };
}

/**
 * What a look-up tells of a service token.
 *
 * @param id The token's text; empty where it was looked up by its accessor.
 * @param nowMs The time, in milliseconds since 1970.
 */
export function tokenInfo(
  id: string,
  record: ServiceTokenRecord,
  identity: Identity,
  nowMs: number,
): Record<string, unknown> {
  const own = identityPolicies(record, identity);
  const moments = momentsOf(record);
  const isRoot = record.path === ROOT_TOKEN_PATH;
  return {
    accessor: record.accessor,
    creation_time: seconds(record.createdAt),
    creation_ttl: record.creationTtl,
    display_name: record.displayName,
    entity_id: record.entityId,
    expire_time: moments.expire,
    explicit_max_ttl: record.explicitMaxTtl,
    id,
    meta: record.meta,
    num_uses: Math.max(0, record.numUses),
    orphan: record.parent === null,
    path: record.path,
    policies: record.policies,
    ttl: record.expiresAt === null ? 0 : Math.max(0, Math.floor((record.expiresAt - nowMs) / 1000)),
    type: "service",
    ...(isRoot ? {} : { renewable: record.renewable, issue_time: moments.issue }),
    ...(record.role === undefined ? {} : { role: record.role }),
    ...(record.period > 0 ? { period: record.period } : {}),
    ...(record.boundCidrs.length > 0 ? { bound_cidrs: record.boundCidrs } : {}),
    ...(record.renewedAt === undefined
      ? {}
      : { last_renewal: rfc3339(record.renewedAt), last_renewal_time: seconds(record.renewedAt) }),
    ...(own.length === 0 ? {} : { identity_policies: own, external_namespace_policies: {} }),
  };
}

/** What a look-up tells of an evt token that is used like a service token. */
export function evtTokenInfo(caller: ApiCaller, identity: Identity, nowMs: number): Record<string, unknown> {
  const { record } = caller.evt!;
  const own = identity.policiesOf(caller.entity!);
  const issued = record.issuedAt ?? 0;
  return {
    accessor: caller.accessor,
    creation_time: seconds(issued),
    creation_ttl: record.expiresAt === null ? 0 : seconds(record.expiresAt - issued),
    display_name: caller.displayName,
    entity_id: caller.entity!.record.entityId,
    expire_time: record.expiresAt === null ? null : rfc3339(record.expiresAt),
    explicit_max_ttl: 0,
    // The token itself is nothing that the vault could show: it keeps a hash alone.
    id: "",
    meta: { username: caller.entity!.record.name },
    num_uses: 0,
    orphan: true,
    path: "auth/token/evt",
    policies: caller.policies,
    renewable: false,
    role: record.role,
    ttl: record.expiresAt === null ? 0 : Math.max(0, Math.floor((record.expiresAt - nowMs) / 1000)),
    type: "evt",
    ...(own.length === 0 ? {} : { identity_policies: own, external_namespace_policies: {} }),
  };
}

const MOMENTS = new WeakMap<ServiceTokenRecord, { readonly issue: string; readonly expire: string | null }>();

/** The times of a token as text, made once: clients look themselves up again and again. */
function momentsOf(record: ServiceTokenRecord): { readonly issue: string; readonly expire: string | null } {
  const known = MOMENTS.get(record);
  if (known !== undefined) return known;
  const expire = record.expiresAt === null ? null : rfc3339(record.expiresAt);
  const made = { issue: rfc3339(record.createdAt), expire };
  MOMENTS.set(record, made);
  return made;
}

function identityPolicies(record: ServiceTokenRecord, identity: Identity): readonly string[] {
  const user = record.entityId === "" ? undefined : identity.followed(record.entityId);
  return user === undefined ? [] : [...identity.policiesOf(user)].sort();
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
