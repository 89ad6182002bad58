import { deepEqual, equal } from "node:assert/strict";
import { FAKE_BACKUP } from "../tests/fakes/backups.ts";
import { kindOf, serveApp } from "./_test_support.ts";

Deno.test("a backup is taken by one request and fetched by the next, as bytes", async () => {
  await using app = await serveApp();
  const taken = await app.call("POST", "/backups", {});
  deepEqual([taken.status, await taken.json()], [201, FAKE_BACKUP]);
  const fetched = await app.call("POST", `/backups/${FAKE_BACKUP.id}/fetch`, {});
  equal(fetched.headers.get("content-type"), "application/x-tar");
  equal(await fetched.text(), "archive");
});

Deno.test("another id fetches nothing, and a link in a page nothing at all", async () => {
  await using app = await serveApp();
  const other = await app.call("POST", "/backups/b2/fetch", {});
  deepEqual([other.status, await kindOf(other)], [404, "not_found"]);
  const get = await app.call("GET", `/backups/${FAKE_BACKUP.id}/fetch`);
  equal(get.status, 405);
  await get.body?.cancel();
});
