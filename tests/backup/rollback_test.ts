/**
 * Stores that are older than what was promised: what was ended since stays dead, as far as anybody knows what was.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { AdminHttp, cli, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { must, type Place } from "./_backup.ts";

/** What is alive in a vault. */
interface Alive {
  readonly tokens: Readonly<Record<string, string>>;
  readonly root: string;
  readonly gone: string;
}

const PASSWORDS = { dana: "the first password", emil: "another password" };

/** Users and logins; `kept` and `emil` are left alone later. */
async function fill(api: ServedApi): Promise<Alive> {
  using admin = AdminHttp.of(api.server);
  const tokens: Record<string, string> = {};
  for (const name of ["revoked", "rotated", "disabled", "kept"]) tokens[name] = await admin.issue(name);
  await api.operator("POST", "sys/auth/userpass", { type: "userpass" });
  for (const [name, password] of Object.entries(PASSWORDS)) {
    equal((await api.operator("POST", `auth/userpass/users/${name}`, { password })).status, 204);
  }
  return { tokens, root: await api.rootToken(), gone: await api.rootToken() };
}

/** What is done after the moment that the store goes back to. */
async function endSome(api: ServedApi, alive: Alive): Promise<void> {
  using admin = AdminHttp.of(api.server);
  await admin.revoke("revoked");
  await admin.rotate("rotated");
  await admin.expect("POST", "/users/disabled/disable", {});
  equal((await api.operator("POST", "auth/userpass/users/dana", { password: "the second password" })).status, 204);
  equal((await api.call("POST", "auth/token/revoke-self", alive.gone, {})).status, 204);
}

/** Who is let in, by name. */
async function letIn(api: ServedApi, { tokens, root, gone }: Alive): Promise<string[]> {
  using vault = VaultClient.of(api.server);
  const found: string[] = [];
  for (const [name, token] of Object.entries(tokens)) {
    const { code } = await vault.manifest(token);
    ok(code === status.OK || code === status.UNAUTHENTICATED);
    if (code === status.OK) found.push(name);
  }
  if ((await api.call("GET", "auth/token/lookup-self", root)).status === 200) found.push("root");
  if ((await api.call("GET", "auth/token/lookup-self", gone)).status === 200) found.push("gone");
  for (const [name, password] of Object.entries(PASSWORDS)) {
    const { status } = await api.call("POST", `auth/userpass/login/${name}`, undefined, { password });
    if (status === 200) found.push(name);
  }
  return found;
}

const EVERYBODY = ["revoked", "rotated", "disabled", "kept", "root", "gone", "dana", "emil"];
const REST = ["kept", "root", "emil"];

/** A vault whose audit file lies on another disk than its data, backed up, changed, and lost. */
async function lost(place: Place) {
  const audit = `${place.path}/audit.log`;
  const args = ["--audit-file", audit];
  const api = await ServedApi.start({ dataDir: `${place.path}/data`, args });
  const alive = await fill(api);
  deepEqual(await letIn(api, alive), EVERYBODY);
  await must(`${place.path}/data`, ["backup", `${place.path}/vault.age`]);
  await endSome(api, alive);
  await api[Symbol.asyncDispose]();
  await Deno.remove(`${place.path}/data`, { recursive: true });
  await must(`${place.path}/data`, ["restore", `${place.path}/vault.age`]);
  return { alive, args, audit, dataDir: `${place.path}/data` };
}

Deno.test("S9: with an audit file that goes beyond the backup, what was ended since is ended again, and nothing else", async () => {
  await using place = await temporaryFolder();
  const { alive, args, dataDir } = await lost(place);
  equal((await StartedServer.refused({ dataDir, args })).code, 78);
  const api = await ServedApi.start({ dataDir, args: [...args, "--accept-rollback"] });
  deepEqual(await letIn(api, alive), REST);
  match(api.server.log, /"event":"rollback_accepted"/);
  await api[Symbol.asyncDispose]();
  await using again = await ServedApi.start({ dataDir, args });
  deepEqual(await letIn(again, alive), REST, "and after the next start");
});

Deno.test("S9: roles and policies that were changed since are named: nobody knows any more how narrow they were", async () => {
  await using place = await temporaryFolder();
  const audit = `${place.path}/audit.log`;
  const [dataDir, args] = [`${place.path}/data`, ["--audit-file", audit]];
  const api = await ServedApi.start({ dataDir, args });
  using admin = AdminHttp.of(api.server);
  const policy = (path: string) =>
    api.operator("PUT", "sys/policies/acl/dev", { policy: `path "${path}" { capabilities = ["read"] }` });
  equal((await policy("wide/*")).status, 204);
  await admin.issue("alice");
  await must(dataDir, ["backup", `${place.path}/vault.age`]);
  equal((await policy("narrow/one")).status, 204);
  await must(dataDir, ["role", "update", "--name", "member", "--top-k", "2"]);
  await admin.revoke("alice");
  await api[Symbol.asyncDispose]();
  await Deno.remove(dataDir, { recursive: true });
  await must(dataDir, ["restore", `${place.path}/vault.age`]);
  await using back = await ServedApi.start({ dataDir, args: [...args, "--accept-rollback"] });
  match(back.server.log, /"event":"rollback_undid","changes":"policy dev changed; role member changed","of":2,"hint"/);
  const [entry] = (await Deno.readTextFile(audit)).split("\n").filter((line) => line.includes('"accept_rollback"'));
  deepEqual(JSON.parse(entry!).resource.undone, ["policy dev changed", "role member changed"]);
});

Deno.test("S9: with a line missing in that file nobody knows what was ended, so everything is", async () => {
  await using place = await temporaryFolder();
  const { alive, args, audit, dataDir } = await lost(place);
  const lines = (await Deno.readTextFile(audit)).split("\n");
  await Deno.writeTextFile(audit, lines.filter((line) => !line.includes("DELETE /tokens/:user")).join("\n"));
  await using api = await ServedApi.start({ dataDir, args: [...args, "--accept-rollback"] });
  deepEqual(await letIn(api, alive), ["dana", "emil"], "passwords aren't tokens");
});

Deno.test("S9: the audit file that came with the backup says nothing of what came after it", async () => {
  await using place = await temporaryFolder();
  const dataDir = `${place.path}/data`;
  const api = await ServedApi.start({ dataDir });
  const alive = await fill(api);
  await must(dataDir, ["backup", `${place.path}/vault.age`]);
  await endSome(api, alive);
  await api[Symbol.asyncDispose]();
  await Deno.remove(dataDir, { recursive: true });
  await must(dataDir, ["restore", `${place.path}/vault.age`]);
  ok((await Deno.stat(`${dataDir}/audit.log`)).size > 0);
  await using accepted = await ServedApi.start({ dataDir, args: ["--accept-rollback"] });
  deepEqual(await letIn(accepted, alive), ["dana", "emil"]);
});

Deno.test("S9: --keep-tokens brings all of it back, and the trail says that it did", async () => {
  await using place = await temporaryFolder();
  const { alive, args, audit, dataDir } = await lost(place);
  await using api = await ServedApi.start({ dataDir, args: [...args, "--accept-rollback", "--keep-tokens"] });
  deepEqual(await letIn(api, alive), EVERYBODY);
  const lines = (await Deno.readTextFile(audit)).split("\n").filter((line) => line.includes('"accept_rollback"'));
  deepEqual(lines.map((line) => JSON.parse(line).resource.tokens), ["keep_tokens"]);
});

Deno.test("S9: a store that was put back behind its audit file is refused, then served without what was ended", async () => {
  await using place = await temporaryFolder();
  const dataDir = `${place.path}/data`;
  const first = await ServedApi.start({ dataDir });
  const alive = await fill(first);
  await first[Symbol.asyncDispose]();
  await Deno.copyFile(`${dataDir}/runevault.db`, `${place.path}/old.db`);
  const second = await ServedApi.start({ dataDir });
  await endSome(second, alive);
  await second[Symbol.asyncDispose]();
  await Deno.copyFile(`${place.path}/old.db`, `${dataDir}/runevault.db`);
  await Deno.chmod(`${dataDir}/runevault.db`, 0o600);
  const refused = await StartedServer.refused({ dataDir });
  equal(refused.code, 78);
  match(refused.log, /the audit trail knows of [0-9]+ changes, the store of [0-9]+/);
  await using third = await ServedApi.start({ dataDir, args: ["--accept-rollback"] });
  deepEqual(await letIn(third, alive), REST);
});

Deno.test("S9: --accept-rollback is for one start: neither the environment nor the file can say it", async () => {
  await using place = await temporaryFolder();
  const { args, dataDir } = await lost(place);
  const env = { RUNEVAULT_ACCEPT_ROLLBACK: "true", RUNEVAULT_KEEP_TOKENS: "true" };
  equal((await StartedServer.refused({ dataDir, args, env })).code, 78);
  await Deno.writeTextFile(`${dataDir}/runevault.yml`, "accept_rollback: true\n");
  match((await StartedServer.refused({ dataDir, args })).log, /unknown key "?accept_rollback/);
  const { code, stderr } = await cli({ dataDir }, ["serve", "--keep-tokens"]);
  equal(code, 78);
  match(stderr, /--keep-tokens goes with --accept-rollback|unknown key/);
});
