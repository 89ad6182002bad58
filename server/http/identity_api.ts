/**
 * The identity API of a vault: its engine behind its routes.
 *
 * @module
 */

import type { Audit } from "../../vault/audit/trail.ts";
import type { TrailReader } from "../../vault/audit/trail_reader.ts";
import type { IdentityEngine } from "../../vault/identity_engine.ts";
import { asVaultError, VaultError } from "../../vault/errors.ts";
import type { Clock, Logger, RandomSource } from "../../vault/ports.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import { createIdentityApi } from "./api.ts";
import type { ApiHandler, FinishedRequest } from "./api_parts.ts";
import { authTokenRoutes } from "./mounts/auth_token.ts";
import { databaseBackend } from "./mounts/database.ts";
import { cubbyholeBackend } from "./mounts/cubbyhole.ts";
import { identityAliasRoutes } from "./mounts/identity_alias.ts";
import { identityAuditRoutes } from "./mounts/identity_audit.ts";
import { identityEntityRoutes } from "./mounts/identity_entity.ts";
import { identityGroupRoutes } from "./mounts/identity_group.ts";
import { identityLookupRoutes } from "./mounts/identity_lookup.ts";
import { oidcRoutes } from "./mounts/oidc.ts";
import { oidcProviderRoutes } from "./mounts/oidc_provider.ts";
import { oidcProviderObjectRoutes } from "./mounts/oidc_provider_objects.ts";
import { oidcRevokedRoutes } from "./mounts/oidc_revoked.ts";
import { sysAuditRoutes } from "./mounts/sys_audit.ts";
import { sysCapabilityRoutes } from "./mounts/sys_capabilities.ts";
import { sysInternalRoutes } from "./mounts/sys_internal.ts";
import { sysLeaseRoutes } from "./mounts/sys_leases.ts";
import { sysLockedUserRoutes } from "./mounts/sys_locked_users.ts";
import { sysMountRoutes } from "./mounts/sys_mounts.ts";
import { sysPasswordPolicyRoutes } from "./mounts/sys_password_policies.ts";
import { sysPolicyRoutes } from "./mounts/sys_policies.ts";
import { sysRemountRoutes } from "./mounts/sys_remount.ts";
import { apiVersion, sysStatusRoutes } from "./mounts/sys_status.ts";
import { sysToolsRoutes } from "./mounts/sys_tools.ts";
import { sysWrappingRoutes, wrapInfoOf } from "./mounts/sys_wrapping.ts";
import { userpassBackend } from "./mounts/userpass.ts";
import type { Backend, Route } from "./route.ts";
import { Router } from "./router.ts";
import { entityIdsOf, holderOfUser, isNameOfUser, policiesOfLogin } from "./users_by_name.ts";

/** What the API of a vault is made of. */
export interface IdentityApiParts {
  readonly engine: IdentityEngine;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly audit: Audit;
  /** What stands in the trail for a value that must not be read. */
  readonly hashValue: (value: string) => string;
  /** Reads the trail; absent: nothing is recorded. */
  readonly auditReader?: TrailReader | undefined;
  readonly version: string;
  observe(finished: FinishedRequest): void;
}

/** Whoever comes through the admin API: they hold the machine, so nothing is closed to them. */
export const OPERATOR: ApiCaller = {
  token: null,
  evt: null,
  entity: null,
  policies: ["root"],
  accessor: "operator",
  tokenHash: "operator",
  displayName: "operator",
  isLastUse: false,
};

/** Puts the API of a vault together. */
export function createVaultApi(parts: IdentityApiParts): ApiHandler {
  const { engine, clock, logger } = parts;
  const { tokens, acl, wrapping, mounts } = engine;
  const router = new Router(mounts);
  router.add(...backendsOf(parts, router));
  return createIdentityApi({
    router,
    logger,
    audit: parts.audit,
    auditNames: { isToken: (text) => tokens.isToken(text), hash: parts.hashValue },
    authenticate: (token, remoteAddress) => tokens.authenticate(token, remoteAddress),
    takePlace: (caller) => tokens.takePlace(caller),
    afterUse: (caller) => tokens.afterUse(caller),
    decide: (caller, access) => acl.check(caller, access),
    explainDenial: (caller, access, id) => {
      const { reason, pattern, stanzas, dropped } = acl.explain(caller, access);
      logger.log("info", "api_denied", {
        request_id: id,
        entity_id: caller.entity?.record.entityId ?? "",
        accessor: caller.accessor,
        operation: access.operation,
        reason,
        pattern,
        policies: stanzas.map((stanza) => stanza.policy),
        dropped: dropped.length,
      });
    },
    wrap: async (toWrap) => wrapInfoOf(await wrapping.wrap(toWrap)),
    takeBack: (leaseId) =>
      engine.database.leases.takeBack(leaseId).catch((error: unknown) =>
        // It ends with its token, or with its TTL.
        logger.log("error", "lease_not_taken_back", { lease_id: leaseId, reason: asVaultError(error).message })
      ),
    observe: parts.observe,
    monotonic: () => clock.monotonic(),
  });
}

function backendsOf(parts: IdentityApiParts, router: Router): Backend[] {
  const { engine, clock } = parts;
  const { identity, mounts, policies, tokens, creation, renewal, tokenRoles: roles } = engine;
  const { userpass: users, logins } = engine;
  const policyExists = (name: string) => policies.exists(name);
  return [
    { type: "system", section: "secret", description: "the system", routes: systemRoutes(parts, router) },
    {
      type: "identity",
      section: "secret",
      description: "who is who",
      routes: identityRoutes(engine, parts.auditReader),
    },
    cubbyholeBackend(engine.cubbyholes),
    {
      type: "token",
      section: "auth",
      description: "tokens",
      routes: authTokenRoutes({ tokens, creation, renewal, roles, identity, mounts, clock, policyExists }),
    },
    userpassBackend({
      users,
      logins,
      tokens,
      identity,
      assertNoneNamed: (name) => engine.database.roles.assertNoneNamed(name),
    }),
    databaseBackend({ database: engine.database, isNameOfUser: (name) => isNameOfUser(engine, name) }),
  ];
}

function identityRoutes(
  engine: IdentityEngine,
  auditReader: TrailReader | undefined,
) {
  const {
    identity,
    mounts,
    database,
    oidcKeys: keys,
    oidcRoles: roles,
    identityTokens,
    issuer,
    oidcProvider,
    revocationFeed,
    tokens,
  } = engine;
  const parts = {
    identity,
    mounts,
    assertNoneNamed: (name: string) => database.roles.assertNoneNamed(name),
    policiesOfLogin: (mountAccessor: string, name: string) => policiesOfLogin(engine, mountAccessor, name),
  };
  return [
    ...identityAuditRoutes(auditReader, tokens),
    ...identityEntityRoutes(parts),
    ...identityAliasRoutes(parts),
    ...identityGroupRoutes(parts),
    ...identityLookupRoutes(parts),
    ...oidcRoutes({ keys, roles, identityTokens, issuer, identity, mounts }),
    ...oidcRevokedRoutes(revocationFeed),
    ...oidcProviderObjectRoutes(oidcProvider),
    ...oidcProviderRoutes(oidcProvider),
  ];
}

function systemRoutes(
  { engine, clock, random, version, auditReader, hashValue }: IdentityApiParts,
  router: Router,
): Route[] {
  const { mounts, policies, acl, tokens, identity, oidcRoles, wrapping, lockout } = engine;
  const clusterId = mounts.byPath("secret", "sys/")?.uuid ?? "";
  const facts = { version, clusterId, clusterName: `runevault-${clusterId.slice(0, 8)}`, nowMs: () => clock.now() };
  return [
    ...sysStatusRoutes(facts),
    ...sysMountRoutes({
      mounts,
      usersOfStableName: (name) => [
        ...policies.mentioning(name).map((policy) => `policy ${policy}`),
        ...oidcRoles.mentioning(name).map((role) => `role ${role}`),
      ],
    }),
    ...sysRemountRoutes(mounts),
    ...sysCapabilityRoutes({
      acl,
      tokens,
      identity,
      holderOfUser: (name) => holderOfUser(engine, name),
      find: (path) => router.find(path),
    }),
    ...sysPolicyRoutes({ policies, mounts }),
    ...sysLeaseRoutes(engine.database.leases, (name) => entityIdsOf(engine, name)),
    ...sysPasswordPolicyRoutes(engine.database.passwordPolicies),
    ...sysWrappingRoutes(wrapping),
    ...sysLockedUserRoutes(lockout, mounts),
    ...sysAuditRoutes({ filePath: auditReader?.path ?? null, hashValue }),
    ...sysToolsRoutes(random),
    ...sysInternalRoutes({
      mounts,
      version: apiVersion(version),
      backends: () => router.backends,
      hasAccessBelow: (caller, prefix) => acl.hasAccessBelow(caller, prefix),
      callerOf: (token, remoteAddress) => callerOf(engine, token, remoteAddress),
    }),
  ];
}

/** For open paths that tell more to whoever has a token; a bad one counts as none. */
async function callerOf({ tokens }: IdentityEngine, token: string, remoteAddress: string): Promise<ApiCaller | null> {
  try {
    const caller = await tokens.authenticate(token, remoteAddress);
    if (caller.isLastUse) await tokens.afterUse(caller);
    return caller;
  } catch (error) {
    if (error instanceof VaultError) return null;
    throw error;
  }
}
