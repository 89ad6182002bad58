/**
 * The compiled binary as an operator gets it.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ChannelCredentials, status } from "@grpc/grpc-js";
import type { IssuedTokenBody, KeySetRow } from "../../admin/wire.ts";
import { VERSION } from "../../version.ts";
import { cli, VaultClient } from "../clients.ts";
import { runProgram, StartedServer, temporaryFolder } from "../started_server.ts";
import { binaryPath, binaryRuntime, FIRST_WITH_TLS, isAtLeast } from "./_binary.ts";

const MAX_BYTES = 110_000_000;

async function json<T>(server: { dataDir: string }, ...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await cli(server, [...args, "--json"]);
  equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

async function isAlive(server: StartedServer, token: string): Promise<boolean> {
  using vault = VaultClient.of(server);
  const { code, details } = await vault.manifest(token);
  ok(code === status.OK || code === status.UNAUTHENTICATED, details);
  return code === status.OK;
}

Deno.test("start, issue, call, revoke, kill -9, start: still revoked", async () => {
  await using folder = await temporaryFolder();
  await using server = await StartedServer.start({ dataDir: folder.path });
  equal(await Deno.readTextFile(`/proc/${server.pid}/cmdline`).then((text) => text.split("\0")[0]), binaryPath());
  const issue = (user: string) => json<IssuedTokenBody>(server, "token", "issue", "--user", user, "--role", "member");
  const { token } = await issue("alice");
  const { token: kept } = await issue("bob");
  equal(await isAlive(server, token), true);
  equal((await cli(server, ["token", "revoke", "--user", "alice"])).code, 0);
  equal(await isAlive(server, token), false);
  await server.kill();
  await using again = await StartedServer.start({ dataDir: folder.path });
  deepEqual([await isAlive(again, token), await isAlive(again, kept)], [false, true]);
});

Deno.test("--version and version tell the version, and the runtime that was compiled in", async () => {
  equal((await runProgram(["--version"])).stdout, `runevault ${VERSION}\n`);
  const { stdout } = await runProgram(["version"]);
  equal(stdout, `runevault ${VERSION} (deno ${await binaryRuntime()})\n`);
});

Deno.test("it is one file of less than 110 MB", async () => {
  const { size, isFile } = await Deno.stat(binaryPath());
  ok(isFile && size < MAX_BYTES, `${size} bytes`);
});

Deno.test("--tls auto serves TLS, or on a runtime that can't says so and exits 78", async () => {
  await using folder = await temporaryFolder();
  const runtime = await binaryRuntime();
  const args = ["--tls", "auto"];
  if (!isAtLeast(runtime, FIRST_WITH_TLS)) {
    const { code, log } = await StartedServer.refused({ dataDir: folder.path, args });
    equal(code, 78);
    ok(log.includes(runtime) && log.includes("TLS"), log);
    return;
  }
  await using server = await StartedServer.start({ dataDir: folder.path, args });
  const ca = await Deno.readFile(`${folder.path}/tls/ca.pem`);
  const address = server.addresses.grpc!.replace("127.0.0.1", "localhost");
  using vault = new VaultClient(address, {}, ChannelCredentials.createSsl(Buffer.from(ca)));
  equal((await vault.manifest("evt_x")).code, status.UNAUTHENTICATED);
});

Deno.test("the permissions baked in are no wider than needed: it can run no program; native code is for the start alone", async () => {
  const bytes = Buffer.from((await Deno.readFile(binaryPath())).buffer);
  const marker = '"permissions":{';
  const at = bytes.lastIndexOf(marker);
  ok(at > 0, "the permissions stand in the binary as JSON");
  const text = bytes.subarray(at + marker.length - 1, at + 4096).toString("latin1");
  const permissions = JSON.parse(text.slice(0, text.indexOf("}") + 1));
  const granted = Object.keys(permissions).filter((key) => key.startsWith("allow_") && permissions[key] !== null);
  for (const never of ["allow_run", "allow_all"]) ok(!granted.includes(never), `${never}: ${granted}`);
  deepEqual(granted.filter((key) => key !== "allow_import").sort(), [
    "allow_env",
    // Given up once the one library is loaded, before the first listener opens.
    "allow_ffi",
    "allow_net",
    "allow_read",
    "allow_sys",
    "allow_write",
  ]);
  deepEqual(permissions.allow_sys.sort(), ["cpus", "gid", "hostname", "networkInterfaces", "statfs", "uid"]);
  equal(permissions.prompt, false);
});

Deno.test("every command does its work once", async (t) => {
  await using server = await StartedServer.start();
  const commands: [args: string[], stdout: RegExp, stdin?: string][] = [
    [["token", "issue", "--user", "alice", "--role", "member", "--expires", "90d"], /evt_[0-9a-f]{32}/],
    [["token", "show", "--user", "alice"], /Agent id/],
    [["token", "list"], /alice +member/],
    [["token", "rotate", "--user", "alice", "--grace", "10m"], /evt_[0-9a-f]{32}/],
    [["role", "create", "--name", "r", "--scope", "get_bundle", "--top-k", "3", "--rate-limit", "10/60s"], /10\/60s/],
    [["role", "update", "--name", "r", "--top-k", "4"], /4/],
    [["role", "show", "--name", "r"], /get_bundle/],
    [["role", "list"], /r +get_bundle +4/],
    [["role", "delete", "--name", "r"], /Deleted/],
    [["user", "list"], /alice +enabled/],
    [["user", "disable", "alice"], /disabled/],
    [["user", "enable", "alice"], /enabled/],
    [["user", "show", "alice"], /Entity/],
    [["secret", "rotate"], /active/],
    [["secret", "list"], /1 +open-only/],
    [["secret", "retire", "1"], /retired/],
    [["rewrap"], /^$/, ""],
    [["file", "status"], /tokens +(written|pending)/],
    [["file", "diff", "roles"], /./],
    [["file", "discard", "tokens"], /State/],
    [["keys", "generate", "--dim", "384"], /vault-key/],
    [["keys", "show"], /vault-key +\d+ +yes/],
    [["keys", "rotate"], /vault-key-2/],
    [["token", "revoke", "--user", "alice"], /Revoked/],
    [["status"], /healthy/],
    [["version"], /runevault/],
    [["completion", "bash"], /complete -F/],
  ];
  for (const [args, stdout, stdin] of commands) {
    await t.step(args.slice(0, 2).join(" "), async () => {
      const done = await cli(server, args, stdin);
      equal(done.code, 0, done.stderr);
      match(done.stdout, stdout);
    });
  }
  await t.step("complete", async () => match((await runProgram(["complete", "--", "token", ""])).stdout, /^issue\t/m));
});

Deno.test("a wrong command line ends with 2, a server that isn't there with 1 and its own message", async () => {
  await using folder = await temporaryFolder();
  equal((await runProgram(["tokn", "list"])).code, 2);
  equal((await runProgram(["token", "issue"])).code, 2);
  const { code, stderr } = await cli({ dataDir: folder.path }, ["token", "list"]);
  deepEqual([code, /not running/.test(stderr)], [1, true]);
});

Deno.test("keys generate works while the server is stopped, and it serves them then", async () => {
  await using folder = await temporaryFolder();
  await using first = await StartedServer.start({ dataDir: folder.path });
  await first.stop();
  const row = await json<KeySetRow>({ dataDir: folder.path }, "keys", "generate", "--dim", "1024");
  deepEqual([row.key_id, row.dimension, row.active], ["vault-key", 1024, true]);
  await using server = await StartedServer.start({ dataDir: folder.path });
  const { token } = await json<IssuedTokenBody>(server, "token", "issue", "--user", "a", "--role", "member");
  using vault = VaultClient.of(server);
  const { message } = await vault.publicKey(token);
  const bundle = JSON.parse(message!.keyBundleJson);
  equal(bundle["EvalKey.json"], await Deno.readTextFile(`${folder.path}/keys/vault-key/EvalKey.json`));
});
