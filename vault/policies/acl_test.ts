import type { User } from "../state.ts";
import { deepEqual, equal, match } from "node:assert/strict";
import { type TestVault, withVault } from "../_test_support.ts";
import type { Access, Acl, Holder } from "./acl.ts";

const SUDO = { entityId: undefined, hasSudo: true };

function access(path: string, operation: Access["operation"], more: Partial<Access> = {}): Access {
  return { path, operation, parameters: new Map(), wrapTtlSeconds: null, needsSudo: false, ...more };
}

/** A vault whose policies are these, by name. */
async function withPolicies(
  texts: Readonly<Record<string, string>>,
  use: (acl: Acl, it: TestVault) => Promise<void> | void,
): Promise<void> {
  await withVault({}, async (it) => {
    for (const [name, text] of Object.entries(texts)) await it.vault.engine.policies.put(name, text);
    await use(it.vault.engine.acl, it);
  });
}

function holder(...policies: string[]): Holder {
  return { policies, entity: null };
}

/** A caller with a new entity. */
async function entityHolder(it: TestVault, name: string, policies: string[], own: string[] = []): Promise<Holder> {
  const { record } = await it.vault.engine.identity.entities.write({ name }, { policies: own }, SUDO);
  return present(it, record.entityId, policies);
}

/** The caller as the next request knows them. */
function present(it: TestVault, entityId: string, policies: string[]): Holder {
  return { policies, entity: it.vault.engine.identity.entities.byId(entityId)! };
}

Deno.test("nothing is allowed that no policy grants, help apart", async () => {
  await withPolicies({ p: `path "a" { capabilities = ["read"] }` }, (acl) => {
    for (const operation of ["create", "update", "patch", "delete", "list"] as const) {
      equal(acl.check(holder("p"), access("a", operation)).allowed, false, operation);
    }
    equal(acl.check(holder("p"), access("b", "read")).allowed, false);
    equal(acl.check(holder("unwritten"), access("a", "read")).allowed, false);
    equal(acl.check(holder(), access("a", "read")).allowed, false);
    for (const operation of ["read", "header", "help"] as const) {
      equal(acl.check(holder("p"), access("a", operation)).allowed, true, operation);
    }
    deepEqual(acl.check(holder(), access("b", "help")), { allowed: true, hasSudo: false });
  });
});

Deno.test("each operation needs its own capability", async () => {
  const operations = ["create", "read", "update", "patch", "delete", "list"] as const;
  const texts = Object.fromEntries(operations.map((one) => [one, `path "a" { capabilities = ["${one}"] }`]));
  await withPolicies(texts, (acl) => {
    for (const granted of operations) {
      const allowed = operations.filter((one) => acl.check(holder(granted), access("a", one)).allowed);
      deepEqual(allowed, [granted]);
    }
  });
});

Deno.test("sudo is needed beside the capability, not instead of it", async () => {
  const texts = {
    both: `path "a" { capabilities = ["read", "sudo"] }`,
    plain: `path "a" { capabilities = ["read"] }`,
    alone: `path "a" { capabilities = ["sudo"] }`,
  };
  await withPolicies(texts, (acl) => {
    const decide = (name: string) => acl.check(holder(name), access("a", "read", { needsSudo: true }));
    deepEqual(decide("both"), { allowed: true, hasSudo: true });
    deepEqual(decide("plain"), { allowed: false, hasSudo: false });
    equal(decide("alone").allowed, false);
    deepEqual(acl.check(holder("plain"), access("a", "read")), { allowed: true, hasSudo: false });
  });
});

Deno.test("root comes by the token alone, never by an entity or a group", async () => {
  await withPolicies({}, async (acl, it) => {
    deepEqual(acl.check(holder("root"), access("any", "delete", { needsSudo: true })), {
      allowed: true,
      hasSudo: true,
    });
    const caller = await entityHolder(it, "eve", ["default"]);
    const record = { value: { ...caller.entity!.record, policies: ["root"] } };
    const forged: User = Object.create(caller.entity!, { record });
    equal(acl.check({ policies: ["default"], entity: forged }, access("any", "read")).allowed, false);
    deepEqual(acl.capabilities({ policies: ["default"], entity: forged }, "any"), ["deny"]);
  });
});

Deno.test("a stanza with wrapping TTLs refuses answers that aren't wrapped, or not for so long", async () => {
  await withPolicies(
    { p: `path "a" { capabilities = ["read"] min_wrapping_ttl = 10 max_wrapping_ttl = "1m" }` },
    (acl) => {
      const decide = (wrapTtlSeconds: number | null) =>
        acl.check(holder("p"), access("a", "read", { wrapTtlSeconds })).allowed;
      deepEqual([null, 9, 10, 60, 61].map(decide), [false, false, true, true, false]);
    },
  );
});

Deno.test("rules about parameters bind what carries data, and no list or deletion", async () => {
  const text = `path "a" {
    capabilities = ["create", "read", "update", "patch", "delete", "list"]
    required_parameters = ["x"]
    allowed_parameters = { "x" = ["1"] }
  }`;
  await withPolicies({ p: text }, (acl) => {
    const decide = (operation: Access["operation"], sent: Record<string, unknown>) =>
      acl.check(holder("p"), access("a", operation, { parameters: new Map(Object.entries(sent)) })).allowed;
    for (const operation of ["create", "read", "update", "patch"] as const) {
      deepEqual([decide(operation, {}), decide(operation, { x: "1" }), decide(operation, { x: "2" })], [
        false,
        true,
        false,
      ], operation);
    }
    for (const operation of ["list", "delete"] as const) equal(decide(operation, { y: "2" }), true, operation);
  });
});

Deno.test("a change of a policy binds the next request, and so does its end", async () => {
  await withPolicies({ p: `path "a" { capabilities = ["read"] }` }, async (acl, { vault }) => {
    const mayRead = () => acl.check(holder("p"), access("a", "read")).allowed;
    equal(mayRead(), true);
    await vault.engine.policies.put("p", `path "a" { capabilities = ["list"] }`);
    equal(mayRead(), false);
    await vault.engine.policies.put("p", `path "a" { capabilities = ["read"] }`);
    equal(mayRead(), true);
    await vault.engine.policies.delete("p");
    equal(mayRead(), false);
  });
});

Deno.test("policies of the token, the entity and its groups count together, as they are now", async () => {
  const texts = {
    t: `path "a" { capabilities = ["read"] }`,
    e: `path "a" { capabilities = ["update"] }`,
    g: `path "a" { capabilities = ["delete"] }`,
    o: `path "a" { capabilities = ["list"] }`,
  };
  await withPolicies(texts, async (acl, it) => {
    const { identity } = it.vault.engine;
    const first = await entityHolder(it, "alice", ["t"], ["e"]);
    const { entityId } = first.entity!.record;
    const has = () => acl.capabilities(present(it, entityId, ["t"]), "a");
    deepEqual(has(), ["read", "update"]);
    const { record: inner } = await identity.groups.write({ name: "inner" }, { memberEntityIds: [entityId] }, SUDO);
    const { record: outer } = await identity.groups.write({ name: "outer" }, {
      policies: ["o"],
      memberGroupIds: [inner.id],
    }, SUDO);
    deepEqual(has(), ["list", "read", "update"]);
    await identity.groups.write({ id: inner.id }, { policies: ["g"] }, SUDO);
    deepEqual(has(), ["delete", "list", "read", "update"]);
    await identity.groups.delete(outer.id);
    await identity.groups.write({ id: inner.id }, { memberEntityIds: [] }, SUDO);
    await identity.entities.write({ id: entityId }, { policies: [] }, SUDO);
    deepEqual(has(), ["read"]);
    await identity.groups.write({ id: inner.id }, { memberEntityIds: [entityId] }, SUDO);
    deepEqual(has(), ["delete", "read"]);
  });
});

Deno.test("one policy with a template gives each entity its own paths, and nobody another's", async () => {
  const text = `path "own/{{identity.entity.id}}/*" { capabilities = ["read"] }
    path "team/{{identity.entity.metadata.team}}" { capabilities = ["read"] }`;
  await withPolicies({ p: text }, async (acl, it) => {
    const [alice, bob] = [await entityHolder(it, "alice", ["p"]), await entityHolder(it, "bob", ["p"])];
    const ids = [alice, bob].map((caller) => caller.entity!.record.entityId);
    for (const [i, caller] of [alice, bob].entries()) {
      const may = (id: string) => acl.check(caller, access(`own/${id}/x`, "read")).allowed;
      deepEqual(ids.map(may), [i === 0, i === 1]);
    }
    equal(acl.check(holder("p"), access(`own/${ids[0]}/x`, "read")).allowed, false, "a token without an entity");
    const mayTeam = () => acl.check(present(it, ids[0]!, ["p"]), access("team/red", "read")).allowed;
    equal(mayTeam(), false);
    const { entities } = it.vault.engine.identity;
    await entities.write({ id: ids[0]! }, { metadata: { team: "red" } }, SUDO);
    equal(mayTeam(), true);
    await entities.write({ id: ids[0]! }, { metadata: {} }, SUDO);
    equal(mayTeam(), false);
    await entities.write({ id: ids[0]! }, { metadata: { team: "red" } }, { entityId: ids[0]!, hasSudo: false });
    equal(mayTeam(), false, "S12: the entity's own wish");
  });
});

Deno.test("the default policy lets an entity read itself, and gives no token, lease or policy", async () => {
  await withPolicies({}, async (acl, it) => {
    const caller = await entityHolder(it, "alice", ["default"]);
    const { entityId } = caller.entity!.record;
    deepEqual(acl.capabilities(caller, `identity/entity/id/${entityId}`), ["read"]);
    deepEqual(acl.capabilities(caller, "identity/entity/name/alice"), ["read"]);
    deepEqual(acl.capabilities(caller, "cubbyhole/x"), ["create", "delete", "list", "read", "update"]);
    for (
      const path of [
        "auth/token/create",
        "sys/leases/revoke",
        "sys/policies/acl/x",
        "identity/oidc/token/r",
        "sys/auth",
      ]
    ) {
      deepEqual(acl.capabilities(caller, path), ["deny"], path);
    }
  });
});

Deno.test("an explanation names the pattern, the stanzas, what was dropped, and the reason of every refusal", async () => {
  const texts = {
    p: `path "a/*" { capabilities = ["read"] }\npath "x/{{identity.entity.id}}" { capabilities = ["read"] }
path "d" { capabilities = ["deny"] }
path "w" { capabilities = ["read"] min_wrapping_ttl = 10 }
path "q" { capabilities = ["update"] required_parameters = ["ttl"] }`,
    r: `\npath "a/*" { capabilities = ["list"] }`,
  };
  await withPolicies(texts, (acl) => {
    const caller = holder("p", "r", "unwritten");
    const granted = acl.explain(caller, access("a/b", "read"));
    deepEqual(granted, {
      allowed: true,
      hasSudo: false,
      reason: "granted",
      pattern: "a/*",
      stanzas: [{ policy: "p", path: "a/*", line: 1 }, { policy: "r", path: "a/*", line: 2 }],
      capabilities: ["list", "read"],
      dropped: [{
        policy: "p",
        path: "x/{{identity.entity.id}}",
        line: 2,
        reason: "{{identity.entity.id}} has no value",
      }],
      missingPolicies: ["unwritten"],
    });
    const reasons: readonly (readonly [asked: Access, reason: RegExp])[] = [
      [access("b", "read"), /no policy speaks of this path/],
      [access("a/b", "delete"), /the capability "delete" is not granted/],
      [access("d", "read"), /the path is denied/],
      [access("a/b", "read", { needsSudo: true }), /needs sudo as well/],
      [access("w", "read"), /must be wrapped/],
      [access("w", "read", { wrapTtlSeconds: 5 }), /too short/],
      [access("q", "update"), /the required parameter "ttl" is missing/],
    ];
    for (const [asked, reason] of reasons) {
      const { allowed, reason: said } = acl.explain(caller, asked);
      equal(allowed, false, said);
      match(said, reason);
    }
    equal(acl.explain(holder("root"), access("b", "read")).reason, "root");
  });
});

Deno.test("capabilities are sorted, root is root, and nothing is deny", async () => {
  const text = `path "a" { capabilities = ["update", "sudo", "read", "patch", "list", "delete", "create"] }
path "b" {}
path "c" { capabilities = ["deny"] }
path "l" { capabilities = ["list"] }`;
  await withPolicies({ p: text }, (acl) => {
    const of = (path: string) => acl.capabilities(holder("p"), path);
    deepEqual(of("a"), ["create", "delete", "list", "patch", "read", "sudo", "update"]);
    deepEqual([of("b"), of("c"), of("d"), of("l/")], [["deny"], ["deny"], ["deny"], ["list"]]);
    deepEqual(acl.capabilities(holder("p", "root"), "c"), ["root"]);
  });
});

Deno.test("hasAccessBelow() sees a grant at a path or below it, and no denial", async () => {
  const text = `path "auth/userpass/users/bob" { capabilities = ["read"] }
path "identity/*" { capabilities = ["list"] }
path "sys/*" { capabilities = ["deny"] }
path "+/x" { capabilities = ["read"] }`;
  await withPolicies({ p: text }, (acl) => {
    const below = (prefix: string) => acl.hasAccessBelow(holder("p"), prefix);
    deepEqual(["auth/userpass/", "identity/", "identity/entity/", "auth/other/"].map(below), [true, true, true, true]);
    equal(acl.hasAccessBelow(holder("root"), "sys/"), true);
  });
  await withPolicies({ p: text.split("\n").slice(0, 3).join("\n") }, (acl) => {
    deepEqual(["sys/", "auth/other/", "auth/"].map((prefix) => acl.hasAccessBelow(holder("p"), prefix)), [
      false,
      false,
      true,
    ]);
  });
});

Deno.test("resultant() sorts paths into exact ones and globs", async () => {
  const text = `path "a" { capabilities = ["read"] }\npath "b/*" { capabilities = ["list"] }\npath "c" {}`;
  await withPolicies({ p: text }, (acl) => {
    deepEqual(acl.resultant(holder("p")), {
      root: false,
      exact_paths: { a: { capabilities: ["read"] }, c: { capabilities: ["deny"] } },
      glob_paths: { "b/": { capabilities: ["list"] } },
    });
    deepEqual(acl.resultant(holder("root")), { root: true });
  });
});
