import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { type TestTokens, withTokens } from "./_test_support.ts";
import { matchesGlob, type TokenRequest } from "./creation.ts";

const MAX_SECONDS = 2_764_800;

/** A token of the root's making, to act for. */
async function holder(it: TestTokens, ...policies: string[]): Promise<string> {
  return (await it.make(await it.root(), { policies })).token;
}

Deno.test("a child has what it asks for: policies cleaned, a name made plain, facts, its parent", async () => {
  await withTokens(async (it) => {
    const root = await it.root();
    const { record, warnings } = await it.make(root, {
      policies: [" B", "a", "b", ""],
      meta: { team: "x" },
      displayName: "My laptop/é!",
      ttl: 60,
      numUses: 3,
      renewable: false,
    });
    deepEqual(record.policies, ["a", "b", "default"]);
    equal(record.displayName, "token-My-laptop");
    deepEqual(
      [record.meta, record.creationTtl, record.numUses, record.renewable, record.path, record.type],
      [{ team: "x" }, 60, 3, false, "auth/token/create", "service"],
    );
    equal(record.parent, (await it.caller(root)).tokenHash);
    deepEqual(warnings, []);
  });
});

Deno.test("without sudo a child has at most what its parent's token has, and inherits where it asks for nothing", async () => {
  await withTokens(async (it) => {
    const parent = await holder(it, "a", "b");
    deepEqual((await it.make(parent)).record.policies, ["a", "b", "default"]);
    deepEqual((await it.make(parent, { policies: [] })).record.policies, ["a", "b", "default"]);
    deepEqual((await it.make(parent, { policies: ["A"] })).record.policies, ["a", "default"]);
    deepEqual((await it.make(parent, { noDefaultPolicy: true })).record.policies, ["a", "b"]);
    for (const policies of [["c"], ["a", "c"], ["admin"]]) {
      await rejects(() => it.make(parent, { policies }), refused("invalid_argument", /^child policies must be subset/));
    }
    const bare = (await it.make(parent, { policies: ["a"], noDefaultPolicy: true })).token;
    deepEqual((await it.make(bare)).record.policies, ["a"], "default comes back to nobody who hasn't it");
  });
});

Deno.test("only root makes root, with or without sudo, in whatever spelling; root beside others is root alone", async () => {
  await withTokens(async (it) => {
    const parent = await holder(it, "a");
    for (const hasSudo of [false, true]) {
      for (const policies of [["root"], ["a", " Root "]]) {
        await rejects(() => it.make(parent, { policies }, { hasSudo }), refused("invalid_argument", /root/));
      }
    }
    const { record } = await it.make(await it.root(), { policies: ["a", "ROOT"] });
    deepEqual([record.policies, record.expiresAt, record.renewable], [["root"], null, false]);
  });
});

Deno.test("with sudo a child may have policies that its parent hasn't, and what else needs sudo", async () => {
  await withTokens(async (it) => {
    const parent = await holder(it, "a");
    const sudo = { hasSudo: true };
    deepEqual((await it.make(parent, { policies: ["c"] }, sudo)).record.policies, ["c", "default"]);
    const rows: [TokenRequest, RegExp][] = [
      [{ id: "a-chosen-text" }, /specify token id/],
      [{ period: 60 }, /create periodic token/],
      [{ noParent: true }, /create orphan token/],
    ];
    for (const [request, message] of rows) {
      await rejects(() => it.make(parent, request), refused("invalid_argument", message));
      ok((await it.make(parent, request, sudo)).record);
    }
    ok((await it.make(parent, { noParent: false, period: 0 })).record, "nothing is asked for");
    ok((await it.make(parent, {}, { isOrphanPath: true })).record, "create-orphan needs its path alone");
  });
});

Deno.test("a root token that expires makes none that doesn't", async () => {
  await withTokens(async (it) => {
    const mortal = (await it.make(await it.root(), { policies: ["root"], ttl: 60 })).token;
    await rejects(() => it.make(mortal, { policies: ["root"] }), refused("invalid_argument", /expiring root tokens/));
    await rejects(() => it.make(mortal), refused("invalid_argument", /expiring root tokens/));
    equal((await it.make(mortal, { policies: ["root"], ttl: 30 })).record.creationTtl, 30);
  });
});

Deno.test("a token with counted uses, and a wrapping token, have no children", async () => {
  await withTokens(async (it) => {
    const counted = (await it.make(await it.root(), { policies: ["a"], numUses: 5 })).token;
    const message = /^restricted use token cannot generate child tokens$/;
    await rejects(() => it.make(counted), refused("invalid_argument", message));
    await rejects(
      () => it.make(counted, {}, { hasSudo: true, isOrphanPath: true }),
      refused("invalid_argument", message),
    );
    const { token } = await it.engine.wrapping.wrap({
      body: "{}",
      ttlSeconds: 60,
      path: "p",
      caller: null,
      wrappedAccessor: undefined,
    });
    await rejects(() => it.make(token, {}, { hasSudo: true }), refused("invalid_argument", message));
  });
});

Deno.test("what can't be is refused, and nothing is stored", async () => {
  await withTokens(async (it) => {
    const root = await it.root();
    const count = it.engine.tokens.index.accessors().length;
    const bad: TokenRequest[] = [
      { numUses: -1 },
      { type: "batch" },
      { entityAlias: "somebody" },
      { policies: ["response-wrapping"] },
      { policies: ["a", "Response-Wrapping"] },
      { meta: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, "v"])) },
      { meta: { k: "v".repeat(17_000) } },
      ...[
        "short",
        "has.a.dot",
        "hvs.looks-drawn",
        "s.looks-drawn",
        "evt_looks-drawn",
        "has a space",
        "tönig-long-id",
        "x"
          .repeat(513),
      ].map((id) => ({ id })),
    ];
    for (const request of bad) {
      await rejects(() => it.make(root, request), refused("invalid_argument"), JSON.stringify(request).slice(0, 60));
    }
    equal(it.engine.tokens.index.accessors().length, count);
  });
});

Deno.test("a chosen text works as a token, with a warning, and is taken once", async () => {
  await withTokens(async (it) => {
    const root = await it.root();
    const { token, warnings } = await it.make(root, { id: "correct-horse-battery", policies: ["a"] });
    equal(token, "correct-horse-battery");
    match(warnings[0]!, /ID/);
    deepEqual((await it.caller("correct-horse-battery")).policies, ["a", "default"]);
    await rejects(
      () => it.make(root, { id: "correct-horse-battery", policies: ["b"] }),
      refused("invalid_argument", /duplicate/),
    );
    deepEqual((await it.caller("correct-horse-battery")).policies, ["a", "default"]);
  });
});

Deno.test("the life is the default, or cut to the maximum with a warning; a wish for 0 is none", async () => {
  await withTokens(async (it) => {
    const root = await it.root();
    const policies = ["a"];
    equal((await it.make(root, { policies, ttl: 0 })).record.creationTtl, MAX_SECONDS);
    const long = await it.make(root, { policies, ttl: 3_600_000 });
    deepEqual(
      [long.record.creationTtl, long.warnings],
      [MAX_SECONDS, [
        'TTL of "1000h0m0s" exceeded the effective max_ttl of "768h0m0s"; TTL value is capped accordingly',
      ]],
    );
    const capped = await it.make(root, { policies, explicitMaxTtl: 3600 });
    deepEqual([capped.record.creationTtl, capped.warnings.length], [3600, 1]);
    equal((await it.make(root, { policies, period: 120, ttl: 9 })).record.creationTtl, 120);
  });
});

Deno.test("a policy that nobody wrote is given with a warning", async () => {
  await withTokens(async (it) => {
    const policyExists = (name: string) => name !== "ghost";
    const { warnings } = await it.make(await it.root(), { policies: ["a", "ghost"] }, { policyExists });
    deepEqual(warnings, ['Policy "ghost" does not exist']);
  });
});

Deno.test("a child acts as its parent's entity and from its addresses; an orphan as nobody, and from anywhere", async () => {
  await withTokens(async (it) => {
    const evt = await it.evt("alice", "a");
    const { entityId } = (await it.caller(evt)).entity!.record;
    const child = await it.make(evt);
    equal(child.record.entityId, entityId);
    const orphan = await it.make(child.token, {}, { isOrphanPath: true });
    deepEqual([orphan.record.entityId, orphan.record.parent], ["", null]);
    deepEqual(orphan.record.creator?.entityId, entityId);
    await it.engine.tokenRoles.put("bound", { params: { boundCidrs: ["192.0.2.0/24"] } });
    const bound = await it.make(evt, {}, { role: it.engine.tokenRoles.get("bound")! });
    deepEqual((await it.make(bound.token)).record.boundCidrs, ["192.0.2.0/24"]);
    deepEqual((await it.make(bound.token, {}, { isOrphanPath: true })).record.boundCidrs, []);
  });
});

Deno.test("a hierarchy is 32 tokens deep at most", async () => {
  await withTokens(async (it) => {
    let token = await holder(it, "a");
    const chain = [token];
    const grow = async () => chain.push(token = (await it.make(token)).token);
    while (chain.length < 31) await grow();
    await rejects(async () => {
      for (let i = 0; i < 3; i++) await grow();
    }, refused("invalid_argument", /too deep/));
    deepEqual(new Set(await it.live(...chain)), new Set([true]));
    ok((await it.make(token, {}, { isOrphanPath: true })).record, "an orphan begins anew");
  });
});

Deno.test("a role gives what it allows, whatever the caller has, and refuses what it disallows", async () => {
  await withTokens(async (it) => {
    const parent = await holder(it, "a");
    await it.engine.tokenRoles.put("r", {
      allowedPolicies: ["one", "two"],
      allowedPoliciesGlob: ["team-*"],
      disallowedPoliciesGlob: ["*-admin"],
      pathSuffix: "suffix",
      orphan: true,
      renewable: false,
      params: { period: 90, explicitMaxTtl: 600 },
    });
    const role = it.engine.tokenRoles.get("r")!;
    const make = (policies?: string[]) =>
      it.make(parent, policies === undefined ? {} : { policies }, { role, path: "auth/token/create/r" });
    const { record } = await make(["team-x"]);
    deepEqual(record.policies, ["default", "team-x"]);
    deepEqual(
      [record.role, record.path, record.parent, record.renewable, record.period, record.explicitMaxTtl],
      ["r", "auth/token/create/r/suffix", null, false, 90, 600],
    );
    deepEqual((await make()).record.policies, ["default", "one", "two"]);
    for (const policies of [["a"], ["one", "three"], ["team-admin"], ["root"], ["ROOT"]]) {
      await rejects(() => make(policies), refused("invalid_argument", /role/), String(policies));
    }
  });
});

Deno.test("a role that names no policies lends none: a child has at most its parent's", async () => {
  await withTokens(async (it) => {
    const parent = await holder(it, "a", "b");
    await it.engine.tokenRoles.put("open", { disallowedPolicies: ["b"] });
    const role = it.engine.tokenRoles.get("open")!;
    deepEqual((await it.make(parent, { policies: ["a"] }, { role })).record.policies, ["a", "default"]);
    for (const policies of [["c"], ["b"], undefined]) {
      const request = policies === undefined ? {} : { policies };
      await rejects(() => it.make(parent, request, { role }), refused("invalid_argument"), String(policies));
    }
  });
});

Deno.test("globs of names have stars and nothing else that means something", () => {
  const rows: [string, string, boolean][] = [
    ["team-*", "team-a", true],
    ["team-*", "a-team-a", false],
    ["*-ro", "db-ro", true],
    ["*", "", true],
    ["a.c", "abc", false],
    ["a?", "ab", false],
    ["(a|b)", "a", false],
    ["[a]*", "[a]b", true],
  ];
  for (const [glob, name, expected] of rows) equal(matchesGlob(glob, name), expected, `${glob} ${name}`);
});

Deno.test("of many tokens made at once each is durable before it is told, and a full disk refuses them all", async () => {
  await withTokens(async (it) => {
    const parent = await holder(it, "a");
    const before = it.vault.store.asked.length;
    const made = await Promise.all(Array.from({ length: 50 }, () => it.make(parent)));
    ok(it.vault.store.asked.length - before <= 2, "they share a commit");
    equal(new Set(made.map((one) => one.token)).size, 50);
    for (const { record } of made) ok(it.vault.disk.table("service_token").has(record.hash));
    it.vault.store.failNext();
    const failed = await Promise.allSettled(Array.from({ length: 5 }, () => it.make(parent)));
    deepEqual(new Set(failed.map((one) => one.status)), new Set(["rejected"]));
    equal(it.engine.tokens.index.childrenOf(made[0]!.record.parent!).length, 50);
  });
});
