/**
 * `sys/leases`, and its old names `sys/renew` and `sys/revoke`.
 *
 * @module
 */

import { VaultError } from "../../../vault/errors.ts";
import { quoteName } from "../../../vault/names.ts";
import type { HeldLease, Leases, LeaseSummary, Revocation } from "../../../vault/leases/leases.ts";
import { bool, duration, text } from "../fields.ts";
import { type ApiAnswer, type ApiRequest, type Route, route } from "../route.ts";
import { rfc3339 } from "../timestamps.ts";

/** Whoever keeps leases. */
export type LeaseDirectory = Pick<
  Leases,
  "find" | "list" | "held" | "heldBy" | "renew" | "revoke" | "revokePrefix" | "forcePrefix" | "failing"
>;

/** The id of a token's own lease. */
const TOKEN_LEASE = /\/h[0-9a-f]{64}$/;
const LEASE = { lease_id: text("the lease's id"), increment: duration("seconds from now") };
const REVOKE = {
  lease_id: text("the lease's id"),
  sync: bool("whether to wait until it is done (default)"),
  prefix: text("ignored: the prefix stands in the path"),
};

/** The entities that a user's name may stand for. */
export type EntityIdsOf = (name: string) => readonly string[];

/** The routes. */
export function sysLeaseRoutes(leases: LeaseDirectory, entityIdsOf: EntityIdsOf): Route[] {
  return [...lookupRoutes(leases), heldRoute(leases, entityIdsOf), ...renewRoutes(leases), ...revokeRoutes(leases)];
}

function heldRoute(leases: LeaseDirectory, entityIdsOf: EntityIdsOf): Route {
  return route({
    path: "leases/held",
    summary: "Who holds what: the accounts behind leases, of one user or of all.",
    needsSudo: true,
    fields: { user: text("the user's name; absent: all"), entity_id: text("the entity's id, in its place") },
    read: ({ values: { user, entity_id: id } }) => {
      const ids = id ? [id] : user ? entityIdsOf(user) : undefined;
      if (ids?.length === 0) throw new VaultError("invalid_argument", `there is no user ${quoteName(user!)}`);
      const held = ids === undefined ? leases.held() : ids.flatMap((one) => leases.heldBy(one));
      return { data: { leases: held.map(heldBody) } };
    },
  });
}

function heldBody(lease: HeldLease): Record<string, unknown> {
  const { id, state, connection, role, username, entityId, mountAccessor, revokeError } = lease;
  return {
    lease_id: id,
    state: state === "ending" ? "pending" : state,
    mount_accessor: mountAccessor,
    connection,
    role,
    username,
    entity_id: entityId,
    issue_time: rfc3339(lease.issuedAt),
    expire_time: rfc3339(lease.expiresAt),
    ttl: lease.ttl,
    ...(revokeError === undefined ? {} : { revoke_error: revokeError }),
  };
}

function lookupRoutes(leases: LeaseDirectory): Route[] {
  return [
    route({
      path: "leases/lookup",
      summary: "What is known of a lease.",
      fields: { lease_id: LEASE.lease_id },
      write: ({ values }) => {
        const lease = leases.find(idOf(values.lease_id));
        if (lease === undefined) throw new VaultError("invalid_argument", "invalid lease");
        return { data: infoOf(lease) };
      },
    }),
    route({
      path: "leases/lookup/*rest.prefix",
      summary: "The leases below a path, one level at a time.",
      needsSudo: true,
      list: ({ params }) => keysBelow(leases, `${params["prefix"]!}/`),
    }),
    route({
      path: "leases",
      summary: "Leases whose revocation keeps failing.",
      needsSudo: true,
      fields: { type: text("`irrevocable`"), limit: text("how many; `none`: all") },
      read: ({ values }) => {
        if (values.type !== "irrevocable") return null;
        const failing = leases.failing();
        const rows = failing.map(({ id, mountAccessor, revokeError }) => ({
          lease_id: id,
          mount_id: mountAccessor,
          error: revokeError ?? "",
        }));
        return { data: { lease_count: rows.length, leases: rows } };
      },
    }),
    route({
      path: "leases/count",
      summary: "How many leases' revocation keeps failing.",
      fields: { type: text("`irrevocable`") },
      read: ({ values }) => {
        if (values.type !== "irrevocable") return null;
        const counts: Record<string, number> = {};
        const failing = leases.failing();
        for (const { mountAccessor } of failing) counts[mountAccessor] = (counts[mountAccessor] ?? 0) + 1;
        return { data: { lease_count: failing.length, counts } };
      },
    }),
    route({
      path: "leases/tidy",
      summary: "Nothing to do: no lease is forgotten before its account is gone.",
      write: ({ warn }) => {
        warn("Tidy operation finished");
        return { data: null, status: 202 };
      },
    }),
  ];
}

function renewRoutes(leases: LeaseDirectory): Route[] {
  const renew = (path: string): Route =>
    route({
      path,
      summary: "Renews a lease.",
      fields: LEASE,
      write: async ({ values, params, warn }) => {
        const id = idOf(values.lease_id ?? params["id"]);
        if (TOKEN_LEASE.test(id)) {
          throw new VaultError("invalid_argument", "tokens cannot be renewed through this endpoint");
        }
        const lease = await leases.renew(id, values.increment ?? 0);
        lease.warnings.forEach(warn);
        return { lease: { id: lease.id, renewable: lease.renewable, duration: lease.ttl } };
      },
    });
  return ["leases/renew", "leases/renew/*rest.id", "renew", "renew/*rest.id"].map(renew);
}

function revokeRoutes(leases: LeaseDirectory): Route[] {
  const revoke = (path: string): Route =>
    route({
      path,
      summary: "Revokes a lease.",
      fields: REVOKE,
      write: async ({ values, params, warn }) =>
        answerOf(await leases.revoke(idOf(values.lease_id ?? params["id"]), values.sync ?? true), warn),
    });
  const prefix = (path: string): Route =>
    route({
      path,
      summary: "Revokes every lease below a path.",
      needsSudo: true,
      fields: REVOKE,
      write: async ({ values, params, warn }) =>
        answerOf(await leases.revokePrefix(params["prefix"]!, values.sync ?? true), warn),
    });
  const force = (path: string): Route =>
    route({
      path,
      summary: "Forgets every lease below a path, whatever its engine says.",
      needsSudo: true,
      fields: REVOKE,
      write: async ({ params }: ApiRequest) => {
        await leases.forcePrefix(params["prefix"]!);
        return null;
      },
    });
  return [
    ...["leases/revoke", "leases/revoke/*rest.id", "revoke", "revoke/*rest.id"].map(revoke),
    ...["leases/revoke-prefix/*rest.prefix", "revoke-prefix/*rest.prefix"].map(prefix),
    ...["leases/revoke-force/*rest.prefix", "revoke-force/*rest.prefix"].map(force),
  ];
}

function answerOf({ isQueued, warnings }: Revocation, warn: (text: string) => void): ApiAnswer {
  warnings.forEach(warn);
  return isQueued ? { raw: null, status: 202 } : null;
}

function idOf(id: string | undefined): string {
  if (id) return id;
  throw new VaultError("invalid_argument", "lease_id must be specified");
}

function infoOf(lease: LeaseSummary): Record<string, unknown> {
  return {
    id: lease.id,
    issue_time: rfc3339(lease.issuedAt),
    expire_time: rfc3339(lease.expiresAt),
    last_renewal: lease.renewedAt === null ? null : rfc3339(lease.renewedAt),
    renewable: lease.renewable,
    ttl: lease.ttl,
    ...(lease.revokeError === undefined ? {} : { revoke_error: lease.revokeError }),
  };
}

function keysBelow(leases: LeaseDirectory, prefix: string): ApiAnswer {
  const names = leases.list(prefix).map((id) => {
    const rest = id.slice(prefix.length);
    const slash = rest.indexOf("/");
    return slash === -1 ? rest : rest.slice(0, slash + 1);
  });
  const keys = [...new Set(names)].sort();
  return keys.length === 0 ? null : { data: { keys } };
}
