/**
 * Attacks by guessing passwords (S13), each run against the whole API.
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { withApi } from "./_test_support.ts";
Deno.test("S13: of many guesses at once no more are tried than may fail, and the right password waits as well", async () => {
  await withApi(async (api) => {
    await api.withUsers("mona");
    const guess = (name: string, password: string) =>
      api.call("POST", `auth/userpass/login/${name}`, { body: { password }, address: "203.0.113.9" });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => guess("mona", `wrong ${i}`)));
    const counted = (status: number) => answers.filter((answer) => answer.status === status).length;
    deepEqual([counted(400), counted(403)], [5, 35]);
    equal((await guess("mona", "mona")).status, 403, "locked");
    const strangers = await Promise.all(Array.from({ length: 10 }, () => guess("nobody", "x")));
    deepEqual(strangers.filter((answer) => answer.status === 400).length, 5, "a name that nobody has locks alike");
    deepEqual(strangers.find((answer) => answer.status === 400)!.body, answers.find((a) => a.status === 400)!.body);
    const { total, locked_users } = await api.must("GET", "sys/locked-users");
    deepEqual([total, locked_users[0].alias, locked_users[0].seconds_left > 800], [1, "mona", true]);
    api.vault.clock.advance(901_000);
    equal((await guess("mona", "mona")).status, 200);
  });
});

Deno.test("S13: from an address that a user is known by, others' failures lock nobody out", async () => {
  await withApi(async (api) => {
    await api.withUsers("nina");
    await api.login("nina", "nina", "198.51.100.7");
    for (let i = 0; i < 6; i++) {
      await api.call("POST", "auth/userpass/login/nina", { body: { password: "x" }, address: "203.0.113.9" });
    }
    await api.login("nina", "nina", "198.51.100.7");
    const stranger = { body: { password: "nina" }, address: "203.0.113.9" };
    equal((await api.call("POST", "auth/userpass/login/nina", stranger)).status, 403);
  });
});

Deno.test("S13: a wrong address and a wrong password are one answer; a bcrypt hash is replaced at the next login", async () => {
  await withApi(async (api) => {
    await api.withUsers();
    const password_hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    await api.must("POST", "auth/userpass/users/olga", { password_hash, token_bound_cidrs: "10.0.0.0/8" });
    const from = (address: string, password: string) =>
      api.call("POST", "auth/userpass/login/olga", { body: { password }, address });
    const [wrongPlace, wrongWord] = [await from("192.0.2.1", "U*U"), await from("10.1.1.1", "U*X")];
    deepEqual([wrongPlace.status, wrongPlace.body], [400, wrongWord.body]);
    equal((await from("10.1.1.1", "U*U")).status, 200);
    const { engine } = api.vault.vault;
    const mount = engine.mounts.byPath("auth", "userpass/")!;
    match(engine.userpass.get(mount, "olga")!.passwordHash, /^\$argon2id\$/);
    equal((await from("10.1.1.1", "U*U")).status, 200);
    equal((await from("10.1.1.1", `${"U*U"}${"x".repeat(80)}`)).status, 400);
  });
});
