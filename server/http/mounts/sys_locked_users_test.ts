/**
 * `sys/locked-users`: the list that clients know, with the reason and the time left beside it, and unlocking.
 */

import { deepEqual, equal } from "node:assert/strict";
import { type TestApi, withApi } from "../_test_support.ts";

const STRANGE = "203.0.113.9";

async function lock(api: TestApi, path: string, times = 5): Promise<void> {
  for (let i = 0; i < times; i++) {
    await api.call("POST", `auth/${path}`, { body: { password: "x" }, address: STRANGE });
  }
}

Deno.test("nobody locked is an empty list; the locked are told by mount, with the reason and the time left", async () => {
  await withApi(async (api) => {
    await api.withUsers("mona", "nora");
    await api.must("POST", "sys/auth/staff", { type: "userpass" });
    await api.must("POST", "auth/staff/users/olga", { password: "olga" });
    deepEqual(await api.must("GET", "sys/locked-users"), { total: 0, by_namespace: [], locked_users: [] });
    const mounts = await api.must("GET", "sys/auth");
    const [userpass, staff] = [mounts["userpass/"].accessor, mounts["staff/"].accessor];
    await lock(api, "userpass/login/mona");
    await lock(api, "userpass/login/nora", 4);
    await lock(api, "userpass/login/nobody");
    await lock(api, "staff/login/OLGA");
    api.vault.clock.advance(60_000);
    const entry = (mount_accessor: string, alias: string) => ({
      mount_accessor,
      alias,
      reason: "5 wrong passwords",
      seconds_left: 840,
    });
    const all = await api.must("GET", "sys/locked-users");
    deepEqual(all.locked_users, [entry(userpass, "mona"), entry(staff, "olga")]);
    deepEqual([all.total, all.by_namespace], [2, [{
      namespace_id: "root",
      namespace_path: "",
      counts: 2,
      mount_accessors: [
        { mount_accessor: userpass, counts: 1, alias_identifiers: ["mona"] },
        { mount_accessor: staff, counts: 1, alias_identifiers: ["olga"] },
      ],
    }]]);
    const one = await api.must("GET", `sys/locked-users?mount_accessor=${staff}`);
    deepEqual([one.total, one.locked_users], [1, [entry(staff, "olga")]]);
  });
});

Deno.test("an unlock lets in at once, by accessor or stable name, in any case of an e-mail address too", async () => {
  await withApi(async (api) => {
    const name = "ann@example.org";
    await api.withUsers(name);
    const { accessor } = (await api.must("GET", "sys/auth"))["userpass/"];
    for (const path of [`${accessor}/unlock/ANN@example.org`, `userpass_auth/unlock/${name}`]) {
      await lock(api, `userpass/login/${name}`);
      const login = () =>
        api.call("POST", `auth/userpass/login/${name}`, { body: { password: name }, address: STRANGE });
      equal((await login()).status, 403);
      equal((await api.operator("POST", `sys/locked-users/${path}`)).status, 204);
      equal((await login()).status, 200, path);
    }
    equal((await api.operator("POST", `sys/locked-users/${accessor}/unlock/nobody`)).status, 204);
    equal((await api.operator("POST", "sys/locked-users/nothing/unlock/nobody")).status, 204);
  });
});

Deno.test("a user neither lists nor unlocks without a policy for it", async () => {
  await withApi(async (api) => {
    await api.withUsers("mona");
    const { client_token: token } = await api.login("mona");
    equal((await api.call("GET", "sys/locked-users", { token })).status, 403);
    equal((await api.call("POST", "sys/locked-users/userpass_auth/unlock/mona", { token })).status, 403);
  });
});

Deno.test("a mount's own limits are tuned, read back, and hold at the next attempt", async () => {
  await withApi(async (api) => {
    await api.withUsers("mona", "nora");
    const tune = (user_lockout_config: unknown) =>
      api.operator("POST", "sys/auth/userpass/tune", { user_lockout_config });
    const config = { lockout_threshold: "2", lockout_duration: "1m", lockout_counter_reset: "30s" };
    equal((await tune(config)).status, 204);
    const read = await api.must("GET", "sys/auth/userpass/tune");
    deepEqual(
      [read.user_lockout_threshold, read.user_lockout_duration, read.user_lockout_counter_reset_duration],
      [2, 60, 30],
    );
    const login = async (name: string) =>
      (await api.call("POST", `auth/userpass/login/${name}`, { body: { password: name } })).status;
    await lock(api, "userpass/login/mona", 2);
    equal(await login("mona"), 403);
    api.vault.clock.advance(60_000);
    equal(await login("mona"), 200);
    await lock(api, "userpass/login/nora", 1);
    api.vault.clock.advance(30_001);
    await lock(api, "userpass/login/nora", 1);
    equal(await login("nora"), 200);
    equal((await tune({ lockout_disable: "true" })).status, 204);
    await lock(api, "userpass/login/nora", 4);
    equal(await login("nora"), 200);
    for (const bad of [{ lockout_threshold: 0 }, { lockout_threshold: "x" }, { lockout_duration: "soon" }]) {
      equal((await tune(bad)).status, 400, JSON.stringify(bad));
    }
  });
});
