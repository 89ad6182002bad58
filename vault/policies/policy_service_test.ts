import { deepEqual, equal, notEqual, rejects } from "node:assert/strict";
import { refused, withVault } from "../_test_support.ts";
import { DEFAULT_POLICY } from "./default_policies.ts";

const READ = `path "a" { capabilities = ["read"] }`;

Deno.test("a new vault has the policies default and root", async () => {
  await withVault({}, async (it) => {
    await it.restart();
    const { policies } = it.vault.engine;
    deepEqual(policies.list(), ["default", "root"]);
    equal(policies.get("default")!.version, 1);
    equal(policies.get("default")!.text, DEFAULT_POLICY);
    deepEqual([policies.get("root")!.text, policies.get("nobody")], ["", undefined]);
    deepEqual([policies.exists("root"), policies.exists("nobody")], [true, false]);
  });
});

Deno.test("policies are kept with their texts and versions; a changed default survives a start", async () => {
  await withVault({}, async (it) => {
    const { policies } = it.vault.engine;
    await policies.put("zeta", READ);
    await policies.put("alpha/b c", "# one");
    await policies.put("alpha/b c", "# two");
    await policies.put("default", READ);
    await it.restart();
    const after = it.vault.engine.policies;
    deepEqual(after.list(), ["alpha/b c", "default", "zeta", "root"]);
    deepEqual([after.get("alpha/b c")!.text, after.get("alpha/b c")!.version], ["# two", 2]);
    equal(after.get("default")!.text, READ);
  });
});

Deno.test("a default policy of before the audit trail becomes the present one, unless somebody changed it", async () => {
  const former = DEFAULT_POLICY.replace(/# What the vault wrote down .*\n.*audit\/self.*\n\n/, "");
  notEqual(former, DEFAULT_POLICY);
  for (const [text, after] of [[former, DEFAULT_POLICY], [`${former}# ours\n`, `${former}# ours\n`]] as const) {
    await withVault({}, async (it) => {
      await it.vault.engine.policies.put("default", text);
      await it.restart();
      equal(it.vault.engine.policies.get("default")!.text, after);
    });
  }
});

Deno.test("put() says what the author should know, and a refused text changes nothing", async () => {
  await withVault({}, async ({ vault }) => {
    const { policies } = vault.engine;
    deepEqual(await policies.put("p", READ), []);
    const { stamp } = policies;
    await rejects(
      () => policies.put("p", `path "a" { capabilities = ["fly"] }`),
      refused("invalid_argument", /^failed/),
    );
    deepEqual([policies.get("p")!.text, policies.get("p")!.version, policies.stamp], [READ, 1, stamp]);
    const [warning] = await policies.put("p", `path "a/{{identity.entity.alias.id}}" {}`);
    equal(warning!.includes("{{identity.entity.alias.id}}"), true);
    notEqual(policies.stamp, stamp);
  });
});

Deno.test("root, response-wrapping and default can't be taken away, nor the first two be changed", async () => {
  await withVault({}, async ({ vault }) => {
    const { policies } = vault.engine;
    for (const name of ["root", "response-wrapping"]) {
      await rejects(
        () => policies.put(name, READ),
        refused("invalid_argument", new RegExp(`^cannot update "${name}"`)),
      );
      await rejects(() => policies.delete(name), refused("invalid_argument", new RegExp(`^cannot delete "${name}"`)));
    }
    await rejects(() => policies.delete("default"), refused("invalid_argument", /^cannot delete default policy$/));
    equal(policies.parsed("response-wrapping")!.stanzas.length, 2);
    equal(policies.list().includes("response-wrapping"), false);
  });
});

Deno.test("names that no list of policies can hold are refused", async () => {
  await withVault({}, async ({ vault }) => {
    for (const name of ["", "a,b", "a\nb", "a\0", "\ud800", "x".repeat(257)]) {
      await rejects(() => vault.engine.policies.put(name, READ), refused("invalid_argument", /policy name/), name);
    }
    await vault.engine.policies.put("x".repeat(256), READ);
  });
});

Deno.test("delete() takes a policy away, and twice is no error", async () => {
  await withVault({}, async ({ vault }) => {
    const { policies } = vault.engine;
    await policies.put("p", READ);
    equal(policies.parsed("p")!.stanzas.length, 1);
    await policies.delete("p");
    await policies.delete("p");
    deepEqual([policies.get("p"), policies.parsed("p"), policies.exists("p")], [undefined, undefined, false]);
  });
});

Deno.test("a policy is read once for every version of it", async () => {
  await withVault({}, async ({ vault }) => {
    const { policies } = vault.engine;
    await policies.put("p", READ);
    const first = policies.parsed("p");
    equal(policies.parsed("p"), first);
    await policies.put("p", `path "b" {}`);
    equal(policies.parsed("p")!.stanzas[0]!.path, "b");
  });
});

Deno.test("mentioning() names the policies whose text speaks of a word", async () => {
  await withVault({}, async ({ vault }) => {
    const { policies } = vault.engine;
    await policies.put("p", `path "a/{{identity.entity.aliases.userpass_auth.name}}" {}`);
    await policies.put("q", READ);
    deepEqual(policies.mentioning("userpass_auth"), ["p"]);
    deepEqual(policies.mentioning("nowhere_auth"), []);
  });
});

Deno.test("a policy that takes long to read is refused, with what would fit", async () => {
  await withVault({}, async ({ vault }) => {
    const { policies } = vault.engine;
    const paths = (count: number) => Array.from({ length: count }, (_, i) => `path "a/${i}" {}\n`).join("");
    await policies.put("p", paths(1000));
    const tooLarge = refused("invalid_argument", /^the policy is too large$/);
    for (const text of [paths(1001), `# ${"x".repeat(65_536)}`]) {
      await rejects(() => policies.put("p", text), tooLarge);
    }
    equal(policies.parsed("p")!.stanzas.length, 1000);
  });
});
