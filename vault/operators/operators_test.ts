import { deepEqual, doesNotMatch, equal, match, notEqual, rejects } from "node:assert/strict";
import { NOW, refused, withVault } from "../_test_support.ts";

Deno.test("an operator's token is shown once, kept as a hash, and known after a restart", async () => {
  await withVault({}, async (it) => {
    const { token, ...summary } = await it.vault.operators.add("carol", "tokens");
    match(token, /^opr_[0-9a-f]{64}$/);
    deepEqual(summary, { name: "carol", scope: "tokens", createdAt: NOW });
    deepEqual(it.vault.operators.list(), [summary]);
    doesNotMatch(JSON.stringify([...it.vault.state.table("operator").values()]), new RegExp(token.slice(4, 20)));
    await it.restart();
    equal(it.vault.operators.identify(token)?.name, "carol");
    equal(it.vault.operators.identify(`${token}0`), undefined);
  });
});

Deno.test("a rotated or removed operator's token stops at once, and stays dead after a restart", async () => {
  await withVault({}, async (it) => {
    const { operators } = it.vault;
    const { token: old } = await operators.add("carol", "all");
    it.clock.advance(1000);
    const { token, scope, rotatedAt } = await operators.rotate("Carol");
    notEqual(token, old);
    deepEqual([scope, rotatedAt], ["all", NOW + 1000]);
    deepEqual([operators.identify(old), operators.identify(token)?.name], [undefined, "carol"]);
    await operators.remove("carol");
    await it.restart();
    deepEqual([it.vault.operators.identify(token), it.vault.operators.list()], [undefined, []]);
  });
});

Deno.test("names of operators are unique whatever their case, none is root, and scopes are three", async () => {
  await withVault({}, async (it) => {
    const { operators } = it.vault;
    await operators.add("carol", "read");
    for (const name of ["CAROL", "root", "Root"]) await rejects(operators.add(name, "read"), refused("already_exists"));
    for (const name of ["", "local:0", "a b", "\n"]) {
      await rejects(operators.add(name, "read"), refused("invalid_argument"));
    }
    for (const scope of ["", "write", "ALL", "__proto__"]) {
      await rejects(operators.add("dave", scope), refused("invalid_argument", /scope/));
    }
    await rejects(operators.rotate("nobody"), refused("not_found"));
    await rejects(operators.remove("root"), refused("precondition_failed"));
  });
});
