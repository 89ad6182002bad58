import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { withTokens } from "./_test_support.ts";
import { checkedParams, NO_PARAMS } from "./token_roles.ts";

Deno.test("a write changes what it gives of a role and leaves the rest, after a restart too", async () => {
  await withTokens(async (it) => {
    await it.engine.tokenRoles.put("r", { allowedPolicies: ["a"], params: { period: 60 } });
    await it.engine.tokenRoles.put("r", { orphan: true, params: { numUses: 3 } });
    await it.vault.restart();
    const { allowedPolicies, orphan, renewable, params } = it.engine.tokenRoles.get("r")!;
    deepEqual([allowedPolicies, orphan, renewable, params], [["a"], true, true, {
      ...NO_PARAMS,
      period: 60,
      numUses: 3,
    }]);
    await it.engine.tokenRoles.put("a", {});
    deepEqual(it.engine.tokenRoles.list(), ["a", "r"]);
    await it.engine.tokenRoles.delete("r");
    await it.engine.tokenRoles.delete("r");
    deepEqual([it.engine.tokenRoles.list(), it.engine.tokenRoles.get("r")], [["a"], undefined]);
  });
});

Deno.test("a role that can't be is refused, and the one before stays", async () => {
  await withTokens(async (it) => {
    const { tokenRoles } = it.engine;
    await tokenRoles.put("r", { pathSuffix: "ok" });
    for (const pathSuffix of ["a b", "a?b", "ä", "x".repeat(129)]) {
      await rejects(() => tokenRoles.put("r", { pathSuffix }), refused("invalid_argument", /suffix/));
    }
    await rejects(() => tokenRoles.put("r", { params: { boundCidrs: ["nowhere"] } }), refused("invalid_argument"));
    deepEqual([tokenRoles.get("r")!.pathSuffix, tokenRoles.get("r")!.params], ["ok", NO_PARAMS]);
  });
});

Deno.test("a role that goes leaves its tokens as they are", async () => {
  await withTokens(async (it) => {
    await it.engine.tokenRoles.put("r", { allowedPolicies: ["a"] });
    const { token } = await it.make(await it.root(), {}, { role: it.engine.tokenRoles.get("r")! });
    await it.engine.tokenRoles.delete("r");
    deepEqual((await it.caller(token)).policies, ["a", "default"]);
  });
});

Deno.test("parameters that contradict each other, count below nothing or give root are refused", () => {
  const bad = [
    { ttl: 61, maxTtl: 60 },
    { numUses: -1 },
    { policies: ["a", "root"] },
    { boundCidrs: ["10.0.0.0/33"] },
  ];
  for (const params of bad) {
    throws(() => checkedParams({ ...NO_PARAMS, ...params }), refused("invalid_argument"), JSON.stringify(params));
  }
  equal(checkedParams({ ...NO_PARAMS, ttl: 60, maxTtl: 60 }).ttl, 60);
  equal(checkedParams({ ...NO_PARAMS, ttl: 60 }).ttl, 60, "no maximum");
});
