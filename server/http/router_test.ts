import { deepEqual, equal } from "node:assert/strict";
import type { MountRecord } from "../../vault/storage/identity_records.ts";
import { Router } from "./router.ts";
import { type Backend, route } from "./route.ts";

const answer = () => null;
const routes = [
  route({ path: "login/:email.username", summary: "", isOpen: true, write: answer }),
  route({ path: "users", summary: "", list: answer }),
  route({ path: "users/:email.username", summary: "", read: answer }),
  route({ path: "users/:email.username/password", summary: "", write: answer }),
  route({ path: "entity/name/*rest.name", summary: "", read: answer }),
  route({ path: "tuned/*rest.path/tune", summary: "", read: answer }),
  route({ path: "tuned/*rest.path", summary: "", read: answer }),
  route({ path: ":name.role", summary: "", read: answer }),
];
const BACKEND: Backend = { type: "userpass", section: "auth", description: "", routes };

function mount(path: string, more: Partial<MountRecord> = {}): MountRecord {
  return { section: "auth", path, type: "userpass", accessor: `auth_${path}`, ...more } as MountRecord;
}

function routerOf(...mounts: MountRecord[]): Router {
  const byPath = (section: string, path: string) => mounts.find((one) => one.section === section && one.path === path);
  return new Router({ byPath }).add(BACKEND);
}

Deno.test("Router finds the mount with the whole path, and the route with its parameters", () => {
  const router = routerOf(mount("userpass/"), mount("team/ldap/"));
  const found = router.find("auth/team/ldap/users/a.b+c@example.org/password");
  equal(found.mount?.path, "team/ldap/");
  equal(found.match?.route.path, "users/:email.username/password");
  deepEqual(found.match?.params, { username: "a.b+c@example.org" });
  equal(router.find("auth/userpass/users/").match?.route.path, "users");
  deepEqual(router.find("auth/userpass/entity/name/a/b c").match?.params, { name: "a/b c" });
  equal(router.find("auth/userpass/tuned/a/b/tune").match?.route.path, "tuned/*rest.path/tune");
  deepEqual(router.find("auth/userpass/reader").match?.params, { role: "reader" });
});

Deno.test("Router knows no route for other mounts, bad names, and mounts that are on their way out", () => {
  const router = routerOf(mount("userpass/"), mount("old/", { tainted: true }));
  equal(router.find("auth/other/users/a").mount, undefined);
  equal(router.find("users/a").mount, undefined);
  equal(router.find("auth/userpass").mount, undefined);
  for (const name of ["-a", "a.", "a b", "a/b", "é"]) {
    equal(router.find(`auth/userpass/users/${name}`).match, undefined, name);
  }
  equal(router.find("auth/old/users/a").match, undefined);
});

Deno.test("Router says of a path below an open one that it may be talked of without a token", () => {
  const router = routerOf(mount("userpass/"));
  equal(router.find("auth/userpass/login/a b").isBelowOpen, true);
  equal(router.find("auth/userpass/login/").isBelowOpen, false);
  equal(router.find("auth/userpass/users/a b").isBelowOpen, false);
});
