/**
 * Users as an operator makes them: evt user and login are one entity, by the operator's word alone (S11).
 */

import { deepEqual, equal, notEqual, rejects, throws } from "node:assert/strict";
import { refused, type TestVault, withVault } from "../_test_support.ts";
import type { IdentityEngine } from "../identity_engine.ts";
import type { MountRecord } from "../storage/identity_records.ts";
import type { UserAccounts } from "./accounts.ts";

/** A vault and its accounts. */
class Office {
  constructor(readonly it: TestVault) {}

  get engine(): IdentityEngine {
    return this.it.vault.engine;
  }

  get accounts(): UserAccounts {
    return this.engine.accounts;
  }

  get mount(): MountRecord {
    return this.engine.mounts.byPath("auth", "userpass/")!;
  }

  /** Logs in and returns the entity. */
  async login(name: string, password: string): Promise<string> {
    return (await this.engine.logins.login(this.mount, name, password, "192.0.2.1")).record.entityId;
  }

  /** Fails the test unless a call is refused and nothing at all was written. */
  async refuses(call: () => Promise<unknown>, ...like: Parameters<typeof refused>): Promise<void> {
    const before = this.it.store.asked.length;
    await rejects(call, refused(...like));
    deepEqual(this.writtenSince(before), [], "nothing was written");
  }

  /** The kinds that each commit wrote since; the files that are written beside have commits of their own. */
  writtenSince(before: number): string[][] {
    const kinds = new Set(["alias", "mount", "service_token", "user", "userpass_user"]);
    const commits = this.it.store.asked.slice(before);
    const ours = commits.map((writes) => writes.map((write) => write.kind).filter((kind) => kinds.has(kind)).sort());
    return ours.filter((commit) => commit.length > 0);
  }
}

function withOffice(use: (office: Office) => Promise<void>): Promise<void> {
  return withVault({}, async (it) => await use(new Office(it)));
}

Deno.test("a user with a login is made in one commit, with the mount where it is absent, and outlives a restart", async () => {
  await withOffice(async (office) => {
    equal(office.mount, undefined);
    const before = office.it.store.asked.length;
    await office.accounts.create({ name: "Vera", password: "pw", policies: ["reader"] });
    deepEqual(office.writtenSince(before), [["alias", "mount", "user", "userpass_user"]]);
    deepEqual(office.accounts.loginsOf("Vera"), [
      { mountPath: "auth/userpass/", username: "vera", policies: ["reader"], isLocked: false },
    ]);
    await office.it.restart();
    equal(await office.login("VERA", "pw"), office.it.vault.state.userByName("Vera")!.record.entityId);
  });
});

Deno.test("a login given to a user with an evt token is the same entity, and so is a token given to one with a login", async () => {
  await withOffice(async (office) => {
    const first = office.it.identify(await office.it.issue("alice")).user.record.entityId;
    await office.accounts.create({ name: "alice", password: "pw" });
    equal(await office.login("alice", "pw"), first);
    await office.accounts.create({ name: "bob", password: "pw" });
    const second = await office.login("bob", "pw");
    equal(office.it.identify(await office.it.issue("bob")).user.record.entityId, second);
  });
});

Deno.test("a login may have another name than the user, an e-mail address for instance", async () => {
  await withOffice(async (office) => {
    await office.accounts.create({ name: "carla", login: "Carla.M+x@Example.org", password: "pw" });
    equal(office.accounts.loginsOf("carla")[0]!.username, "carla.m+x@example.org");
    equal(
      await office.login("carla.m+x@example.org", "pw"),
      office.it.vault.state.userByName("carla")!.record.entityId,
    );
  });
});

Deno.test("what can't be made is refused whole: names, passwords, policies, a login or a user that is there", async () => {
  await withOffice(async (office) => {
    const { accounts } = office;
    await office.refuses(() => accounts.create({ name: "x", password: "" }), "invalid_argument");
    await office.refuses(() => accounts.create({ name: "x", password: "p", policies: ["root"] }), "invalid_argument");
    for (const login of ["", "a b", "-a", "a.", "a/b", "{{x}}", "a*", "ä", "a\n", "x".repeat(129)]) {
      await office.refuses(
        () => accounts.create({ name: "x", login, password: "p" }),
        "invalid_argument",
        /login name/,
      );
    }
    equal(office.mount, undefined, "no mount was made on the way");
    await accounts.create({ name: "dora", password: "pw" });
    await office.refuses(() => accounts.create({ name: "dora", password: "other" }), "already_exists");
    await office.refuses(() => accounts.create({ name: "DORA", login: "other", password: "pw" }), "already_exists");
    await office.refuses(() => accounts.create({ name: "dora", login: "dora2", password: "pw" }), "already_exists");
    await office.refuses(() => accounts.create({ name: "eve", login: "dora", password: "pw" }), "already_exists");
    await office.login("dora", "pw");
  });
});

Deno.test("S11: a login's former entity is nobody's way in: linking is explicit and ends what the login caused", async () => {
  await withOffice(async (office) => {
    const evt = office.it.identify(await office.it.issue("finn")).user.record.entityId;
    await office.engine.mounts.enable({ section: "auth", path: "userpass/", type: "userpass" });
    await office.engine.userpass.put(office.mount, "finn", { password: "pw" });
    const minted = await office.engine.logins.login(office.mount, "finn", "pw", "192.0.2.1");
    notEqual(minted.record.entityId, evt, "the same name is not the same one");
    await office.accounts.link("finn", "Finn");
    equal(office.engine.tokens.isLive(minted.record), false);
    equal(await office.login("finn", "pw"), evt);
    const before = office.it.store.asked.length;
    await office.accounts.link("finn", "finn");
    deepEqual(office.writtenSince(before), [], "linking again changes nothing");
  });
});

Deno.test("nobody's login is taken from them by a link, and none is linked that isn't there", async () => {
  await withOffice(async (office) => {
    const { accounts } = office;
    await office.it.issue("alice");
    await office.refuses(() => accounts.link("alice", "alice"), "not_found");
    await accounts.create({ name: "bob", password: "pw" });
    await office.refuses(() => accounts.link("alice", "bob"), "already_exists");
    await office.refuses(() => accounts.link("alice", "nobody"), "not_found");
    await office.refuses(() => accounts.link("nobody", "bob"), "not_found");
    await accounts.create({ name: "alice", password: "pw" });
    await office.engine.userpass.put(office.mount, "spare", { password: "pw" });
    await office.refuses(() => accounts.link("alice", "spare"), "already_exists", /another login/);
  });
});

Deno.test("a new password replaces the old and unlocks; who has no login is told how to get one", async () => {
  await withOffice(async (office) => {
    const { accounts } = office;
    await accounts.create({ name: "gina", password: "old" });
    for (let i = 0; i < 5; i++) await rejects(office.login("gina", "x"));
    equal(accounts.loginsOf("gina")[0]!.isLocked, true);
    await accounts.setPassword("gina", "new");
    equal(accounts.loginsOf("gina")[0]!.isLocked, false);
    await rejects(office.login("gina", "old"), refused("invalid_argument"));
    await office.login("gina", "new");
    await office.refuses(() => accounts.setPassword("gina", ""), "invalid_argument");
    await office.it.issue("hugo");
    await office.refuses(() => accounts.setPassword("hugo", "pw"), "not_found", /has no login/);
    await office.refuses(() => accounts.setPassword("nobody", "pw"), "not_found", /No user/);
  });
});

Deno.test("an unlock lets a user try at once, and is for users who are there", async () => {
  await withOffice(async (office) => {
    await office.accounts.create({ name: "ida", password: "pw" });
    for (let i = 0; i < 5; i++) await rejects(office.login("ida", "x"));
    await rejects(office.login("ida", "pw"), refused("permission_denied"));
    office.accounts.unlock("ida");
    await office.login("ida", "pw");
    throws(() => office.accounts.unlock("nobody"), refused("not_found"));
    await office.it.issue("kim");
    throws(() => office.accounts.unlock("kim"), refused("not_found"));
    throws(() => office.accounts.loginsOf("nobody"), refused("not_found"));
  });
});

Deno.test("logins that the identity API made are unlocked and given passwords by their own name, used or not", async () => {
  await withOffice(async ({ it, accounts }) => {
    const { mounts, userpass, logins, lockout } = it.vault.engine;
    const mount = await mounts.enable({ section: "auth", path: "userpass/", type: "userpass" });
    for (const name of ["used", "fresh"]) await userpass.put(mount, name, { password: "pw" });
    await logins.login(mount, "used", "pw", "192.0.2.1");
    for (const name of ["used", "fresh"]) {
      for (let i = 0; i < 5; i++) await rejects(logins.login(mount, name, "x", "192.0.2.9"));
      equal(lockout.isLocked(mount.accessor, name), true);
      accounts.unlock(name.toUpperCase());
      equal(lockout.isLocked(mount.accessor, name), false);
      await accounts.setPassword(name, "new");
      await logins.login(mount, name, "new", "192.0.2.9");
    }
    await it.issue("kim");
    await userpass.put(mount, "kim", { password: "pw" });
    throws(() => accounts.unlock("kim"), refused("not_found"), "a namesake's login isn't kim's");
    await rejects(accounts.setPassword("nobody", "new"), refused("not_found", /No user/));
  });
});

Deno.test("of two who make one account at once, one succeeds and nothing of the other is left", async () => {
  await withOffice(async (office) => {
    const all = await Promise.allSettled(
      ["one", "two"].map((password) => office.accounts.create({ name: "jane", password })),
    );
    deepEqual(all.map((one) => one.status).sort(), ["fulfilled", "rejected"]);
    await office.login("jane", all[0]!.status === "fulfilled" ? "one" : "two");
    equal(office.it.disk.table("userpass_user").size, 1);
    equal(office.it.disk.table("alias").size, 1);
  });
});
