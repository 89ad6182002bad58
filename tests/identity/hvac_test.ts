/**
 * The often-copied recipe, run as it is written by Python's hvac against a started vault.
 */

import { deepEqual, equal, notEqual } from "node:assert/strict";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { hasHvac, PYTHON } from "./_hvac.ts";
import { ServedApi } from "./_served.ts";

const RECIPE = new URL("./recipe.py", import.meta.url).pathname;

Deno.test({
  name: "the recipe runs by hvac as it is written [apt install python3-hvac]",
  ignore: !await hasHvac(),
  async fn() {
    await using api = await ServedApi.start();
    const args = [RECIPE, api.address, await api.rootToken()];
    const { code, stdout, stderr } = await new Deno.Command(PYTHON, { args }).output();
    equal(code, 0, new TextDecoder().decode(stderr));
    const seen = JSON.parse(new TextDecoder().decode(stdout));
    deepEqual(seen.session_entities, seen.ids, "logins use the entities that were made for them");
    notEqual(seen.ids.alice, seen.ids.bob);
    deepEqual(seen.policies, ["chatbot-user", "default"]);
    deepEqual(seen.metadata, { email: "alice@example.org", department: "research", session_id: "s-1" });
    deepEqual(
      [seen.others_entity, seen.own_policies, seen.admin_key, seen.wrong_password, seen.unknown_role],
      ["Forbidden", "Forbidden", "Forbidden", "InvalidRequest", "Forbidden"],
    );
    equal(seen.nothing_there, null);
    deepEqual([seen.users, seen.users_by_list_verb], [["alice", "bob"], ["alice", "bob"]]);
    deepEqual([seen.entity_by_alias, seen.lookup_miss_is_204], [seen.ids.alice, 204]);
    deepEqual(seen.capabilities, ["create", "read", "update"]);
    deepEqual([seen.renewed, seen.accessors, seen.child, seen.introspected], [true, true, 3600, true]);
    deepEqual([seen.logged_in_after_logout, seen.bob_still_logged_in], [false, true]);
    await assertJwts(api, seen);
  },
});

/** Each is verified as any service would: by the published keys alone. */
async function assertJwts(api: ServedApi, seen: { ids: Record<string, string>; jwts: Record<string, string> }) {
  const keys = createRemoteJWKSet(new URL(`${api.address}/v1/identity/oidc/.well-known/keys`));
  const { issuer } = (await api.call("GET", "identity/oidc/.well-known/openid-configuration")).body;
  for (const [name, user] of [["alice", "alice"], ["alice_by_post", "alice"], ["bob", "bob"]] as const) {
    const { payload } = await jwtVerify(seen.jwts[name]!, keys, { issuer, algorithms: ["RS256"] });
    equal(payload.sub, seen.ids[user]);
    deepEqual([payload["user_id"], payload["email"], payload["login"]], [seen.ids[user], `${user}@example.org`, user]);
  }
}
