import { NO_AUDIT } from "../../../tests/fakes/no_audit.ts";
import { deepEqual, equal } from "node:assert/strict";
import { MemoryLogger } from "../../../tests/fakes/ports.ts";
import { VaultError } from "../../../vault/errors.ts";
import type { ApiCaller } from "../../../vault/service_tokens/caller.ts";
import type { MountRecord } from "../../../vault/storage/identity_records.ts";
import { createIdentityApi } from "../api.ts";
import type { Access } from "../api_parts.ts";
import type { HeldLease, LeaseSummary } from "../../../vault/leases/leases.ts";
import { type LeaseDirectory, sysLeaseRoutes } from "./sys_leases.ts";
import { withApi } from "../_test_support.ts";
import { Router } from "../router.ts";
import { rfc3339 } from "../timestamps.ts";

const MOUNT = { section: "secret", path: "sys/", type: "system" } as MountRecord;
const CALLER = { policies: ["p"], entity: null, isLastUse: false } as unknown as ApiCaller;
const ID = "database/creds/alice/abc";
const AT = Date.UTC(2026, 2, 20, 10);

const LEASE: LeaseSummary = {
  id: ID,
  issuedAt: AT,
  expiresAt: AT + 3_600_000,
  renewedAt: null,
  renewable: true,
  ttl: 3600,
};

const HELD: HeldLease = {
  ...LEASE,
  mountAccessor: "database_1",
  entityId: "entity-of-alice",
  connection: "main",
  role: "reader",
  username: "v-alice-x",
  state: "ending",
};
const entityIdsOf = (name: string) => name === "alice" ? [HELD.entityId] : [];

function apiOf(more: Partial<LeaseDirectory> = {}) {
  const calls: unknown[][] = [];
  const note = <T>(name: string, answer: T) => (...given: unknown[]) => {
    calls.push([name, ...given]);
    return Promise.resolve(answer);
  };
  const leases: LeaseDirectory = {
    find: (id) => id === ID ? LEASE : undefined,
    list: (prefix) => [ID, "database/creds/alice/def", "database/creds/bob/x"].filter((id) => id.startsWith(prefix)),
    held: () => [HELD],
    heldBy: (entityId) => entityId === HELD.entityId ? [HELD] : [],
    renew: note("renew", { ...LEASE, ttl: 60, warnings: ["cut"] }),
    revoke: note("revoke", { isQueued: false, warnings: [] }),
    revokePrefix: note("revokePrefix", { isQueued: true, warnings: [] }),
    forcePrefix: note("forcePrefix", undefined),
    failing: () => [{ ...LEASE, mountAccessor: "database_1", revokeError: "gone away" }],
    ...more,
  };
  const asked: Access[] = [];
  const takenBack: string[] = [];
  const handle = createIdentityApi({
    ...NO_AUDIT,
    router: new Router({ byPath: (section, path) => section === "secret" && path === "sys/" ? MOUNT : undefined })
      .add({ type: "system", section: "secret", description: "", routes: sysLeaseRoutes(leases, entityIdsOf) }),
    logger: new MemoryLogger(),
    authenticate: () => CALLER,
    takePlace: () => {},
    afterUse: () => Promise.resolve(),
    decide: (_caller, access) => {
      asked.push(access);
      return { allowed: true, hasSudo: true };
    },
    explainDenial: () => {},
    wrap: () => Promise.reject(new Error("not asked for")),
    takeBack: (id) => Promise.resolve(void takenBack.push(id)),
    observe: () => {},
    monotonic: () => 0,
  });
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const request = new Request(`http://vault.test/v1/sys/${path}`, {
      method,
      headers: { "x-vault-token": "t", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const response = await handle(request, { address: "192.0.2.1", isTls: false });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text) };
  };
  return { send, calls, asked, takenBack };
}

Deno.test("a lease is looked up by its id in the body", async () => {
  const { send } = apiOf();
  deepEqual((await send("PUT", "leases/lookup", { lease_id: ID })).body.data, {
    id: ID,
    issue_time: "2026-03-20T10:00:00Z",
    expire_time: "2026-03-20T11:00:00Z",
    last_renewal: null,
    renewable: true,
    ttl: 3600,
  });
  deepEqual((await send("PUT", "leases/lookup", { lease_id: "x" })).body.errors, ["invalid lease"]);
  deepEqual((await send("PUT", "leases/lookup", {})).body.errors, ["lease_id must be specified"]);
  equal((await send("PUT", `leases/lookup/${ID}`)).status, 405);
});

Deno.test("leases are listed one level at a time, for sudo", async () => {
  const { send, asked } = apiOf();
  deepEqual((await send("LIST", "leases/lookup/database/creds")).body.data.keys, ["alice/", "bob/"]);
  deepEqual((await send("LIST", "leases/lookup/database/creds/alice")).body.data.keys, ["abc", "def"]);
  equal((await send("LIST", "leases/lookup/database/creds/al")).status, 404, "whole segments");
  deepEqual(asked.map((access) => access.needsSudo), [true, true, true]);
});

Deno.test("a renewal answers the lease at the top level, by the old and the new path; the body's id wins", async () => {
  const { send, calls } = apiOf();
  const sent: [string, unknown][] = [
    ["leases/renew", { lease_id: ID, increment: "90m" }],
    [`leases/renew/${ID}`, {}],
    ["renew", { lease_id: ID, increment: null }],
    [`renew/${ID}`, undefined],
    ["leases/renew/other", { lease_id: ID }],
  ];
  for (const [path, body] of sent) {
    const answer = (await send("PUT", path, body)).body;
    deepEqual([answer.lease_id, answer.lease_duration, answer.renewable, answer.data], [ID, 60, true, null], path);
    deepEqual(answer.warnings, ["cut"]);
  }
  deepEqual(calls, [5400, 0, 0, 0, 0].map((increment) => ["renew", ID, increment]));
  equal((await send("PUT", "leases/renew", { lease_id: ID, increment: -1 })).status, 400);
});

Deno.test("a renewal whose answer can't be wrapped ends no account: somebody uses it", async () => {
  const { send, takenBack } = apiOf();
  equal((await send("PUT", "leases/renew", { lease_id: ID }, { "x-vault-wrap-ttl": "60s" })).status, 500);
  deepEqual(takenBack, []);
});

Deno.test("a revocation is 204 when it is done, 202 when it waits; it is waited for unless the client says no", async () => {
  const { send, calls } = apiOf();
  equal((await send("PUT", "leases/revoke", { lease_id: ID })).status, 204);
  equal((await send("PUT", `leases/revoke/${ID}`, { sync: false })).status, 204);
  equal((await send("PUT", `revoke/${ID}`)).status, 204);
  deepEqual(await send("PUT", "leases/revoke-prefix/database/creds", { sync: false }), { status: 202, body: null });
  equal((await send("PUT", "revoke-prefix/database/creds", { prefix: "database/creds" })).status, 202);
  equal((await send("PUT", "leases/revoke-force/database")).status, 204);
  equal((await send("PUT", "revoke-force/database")).status, 204);
  deepEqual(calls, [
    ["revoke", ID, true],
    ["revoke", ID, false],
    ["revoke", ID, true],
    ["revokePrefix", "database/creds", false],
    ["revokePrefix", "database/creds", true],
    ["forcePrefix", "database"],
    ["forcePrefix", "database"],
  ]);
  equal((await send("PUT", "leases/revoke", {})).status, 400);
});

Deno.test("prefix and force need sudo, by the old paths too; one's own lease doesn't", async () => {
  const { send, asked } = apiOf();
  const paths = ["revoke-prefix/a", "revoke-force/a", "leases/revoke-prefix/a", "leases/revoke-force/a", "leases"];
  for (const path of paths) await send(path === "leases" ? "GET" : "PUT", path);
  for (const path of ["leases/revoke/a", "leases/renew/a", "leases/count"]) {
    await send(path === "leases/count" ? "GET" : "PUT", path);
  }
  deepEqual(asked.map((access) => access.needsSudo), [true, true, true, true, true, false, false, false]);
});

Deno.test("stuck revocations are counted and named; other kinds of lease aren't known", async () => {
  const { send } = apiOf();
  deepEqual((await send("GET", "leases?type=irrevocable")).body.data, {
    lease_count: 1,
    leases: [{ lease_id: ID, mount_id: "database_1", error: "gone away" }],
  });
  deepEqual((await send("GET", "leases/count?type=irrevocable")).body.data, {
    lease_count: 1,
    counts: { database_1: 1 },
  });
  for (const path of ["leases", "leases/count", "leases?type=other", "leases/count?type=other"]) {
    equal((await send("GET", path)).status, 404, path);
  }
  equal((await send("POST", "leases/tidy")).status, 202);
});

Deno.test("what the keeper of leases refuses is told as it is", async () => {
  const { send } = apiOf({
    renew: () => Promise.reject(new VaultError("invalid_argument", "lease expired")),
    revoke: () => Promise.reject(new VaultError("invalid_argument", "failed to revoke entry: no connection")),
  });
  const renewed = await send("PUT", "leases/renew", { lease_id: ID });
  deepEqual([renewed.status, renewed.body.errors], [400, ["lease expired"]]);
  const revoked = await send("PUT", "leases/revoke", { lease_id: ID });
  deepEqual([revoked.status, revoked.body.errors], [400, ["failed to revoke entry: no connection"]]);
});

Deno.test("where nothing leases, nothing is found, and revoking it is done", async () => {
  await withApi(async (api) => {
    const put = async (path: string, body?: unknown) => await api.operator("PUT", `sys/leases/${path}`, body);
    deepEqual((await put("lookup", { lease_id: ID })).body.errors, ["invalid lease"]);
    deepEqual((await put("renew", { lease_id: ID })).body.errors, ["lease not found"]);
    for (const path of ["revoke/x", "revoke-prefix/x", "revoke-force/x"]) equal((await put(path)).status, 204, path);
    equal((await api.operator("LIST", "sys/leases/lookup/x")).status, 404);
  });
});

Deno.test("who holds what is told of a user, of an entity, and of all, with why it is still there", async () => {
  const { send } = apiOf();
  const row = {
    lease_id: ID,
    state: "pending",
    mount_accessor: "database_1",
    connection: "main",
    role: "reader",
    username: "v-alice-x",
    entity_id: "entity-of-alice",
    issue_time: rfc3339(AT),
    expire_time: rfc3339(AT + 3_600_000),
    ttl: 3600,
  };
  for (const query of ["", "?user=alice", "?entity_id=entity-of-alice"]) {
    deepEqual((await send("GET", `leases/held${query}`)).body.data.leases, [row], query);
  }
  deepEqual((await send("GET", "leases/held?entity_id=another")).body.data.leases, []);
  deepEqual((await send("GET", "leases/held?user=nobody")).status, 400);
});
