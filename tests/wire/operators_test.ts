/**
 * S21 against a running server: a socket that is open to a group, and operators who come with tokens of their own.
 */

import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import type { NewOperatorBody } from "../../admin/wire.ts";
import { AdminHttp, cli } from "../clients.ts";
import { runProgram, StartedServer, temporaryFolder } from "../started_server.ts";

Deno.test({
  name: "S21: a token is not sent to a socket in another user's folder, unless the data folder is that user's too",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using folder = await temporaryFolder();
    const [theirs, data] = [`${folder.path}/theirs`, `${folder.path}/data`];
    for (const path of [theirs, data]) await Deno.mkdir(path, { mode: 0o755 });
    await Deno.chown(theirs, 4242, 4242);
    const heard: string[] = [];
    const socket = `${theirs}/admin.sock`;
    await using _ = Deno.serve({ path: socket, transport: "unix", onListen: () => {} }, (request) => {
      heard.push(request.headers.get("authorization") ?? "");
      return Response.json({ tokens: [] });
    });
    const env = { RUNEVAULT_OPERATOR_TOKEN: `opr_${"ab".repeat(32)}` };
    const list = () => runProgram(["token", "list", "--admin-socket", socket, "--data-dir", data], { env });
    const refused = await list();
    deepEqual([refused.code, heard], [1, []]);
    match(refused.stderr, /belongs to user 4242[^]*the token was not sent[^]*--data-dir/);
    await Deno.chown(data, 4242, 4242);
    const { code, stderr } = await list();
    deepEqual([code, heard.length], [0, 1], stderr);
  },
});

Deno.test("S21: members of the socket's group need a token each, may what its scope says, and are named in the log", async () => {
  await using folder = await temporaryFolder();
  const socket = `${folder.path}/admin.sock`;
  const group = String(Deno.gid());
  await using server = await StartedServer.start({ args: ["--admin-socket", socket, "--admin-socket-group", group] });
  const { mode, gid } = await Deno.stat(socket);
  deepEqual([(mode! & 0o777).toString(8), String(gid)], ["660", group]);
  using admin = new AdminHttp(socket);
  equal((await admin.ask("GET", "/tokens")).status, 401, "opening the socket is not enough");

  const added = await cli(server, ["operator", "add", "carol", "--scope", "tokens", "--json"]);
  equal(added.code, 0, added.stderr);
  const { token } = JSON.parse(added.stdout) as NewOperatorBody;
  const file = `${folder.path}/carol.token`;
  await Deno.writeTextFile(file, `${token}\n`, { mode: 0o600 });
  const asCarol = (...args: string[]) =>
    runProgram([...args, "--admin-socket", socket, "--data-dir", "/nonexistent"], {
      env: { RUNEVAULT_OPERATOR_TOKEN_FILE: file },
    });
  match((await asCarol("token", "issue", "--user", "alice", "--role", "member")).stdout, /evt_/);
  for (
    const args of [["secret", "rotate"], ["keys", "rotate"], ["operator", "init"], [
      "operator",
      "add",
      "x",
      "--scope",
      "all",
    ]]
  ) {
    const { code, stderr } = await asCarol(...args);
    deepEqual([code, /has the scope tokens; this needs all/.test(stderr)], [1, true], `${args.join(" ")}: ${stderr}`);
  }
  const nobody = await runProgram(["token", "list", "--admin-socket", socket, "--data-dir", "/nonexistent"]);
  deepEqual([nobody.code, /RUNEVAULT_OPERATOR_TOKEN_FILE/.test(nobody.stderr)], [1, true]);

  const overTcp = await runProgram([
    "token",
    "list",
    "--admin-addr",
    server.addresses.admin!,
    "--data-dir",
    "/nonexistent",
  ], {
    env: { RUNEVAULT_OPERATOR_TOKEN: token },
  });
  match(overTcp.stdout, /^alice /m);
  match((await cli(server, ["operator", "list"])).stdout, /^carol +tokens /m);
  const rotated = await cli(server, ["operator", "rotate", "carol"]);
  match(rotated.stdout, /^Token: +opr_[0-9a-f]{64}$/m);
  equal((await asCarol("token", "list")).code, 1, "the old token stopped");
  equal((await cli(server, ["operator", "remove", "carol"])).code, 0);
  const changes = server.log.split("\n").filter((line) => line.includes("admin_change")).map((line) =>
    JSON.parse(line)
  );
  deepEqual(changes.map(({ route, operator }) => `${operator} ${route}`), [
    "root POST /operators",
    "carol POST /tokens",
    "root POST /operators/:name/rotate",
    "root DELETE /operators/:name",
  ]);
  doesNotMatch(server.log, /opr_[0-9a-f]{8}|adm_/);
  const stored = new TextDecoder("latin1").decode(await Deno.readFile(`${server.dataDir}/runevault.db`));
  ok(!stored.includes(token.slice(4, 36)), "the token is in no file");
});

Deno.test("S21: on a private socket the server's own user needs no token, and SUDO_USER is noted as unverified", async () => {
  await using server = await StartedServer.start();
  const args = ["token", "issue", "--user", "alice", "--role", "member", "--data-dir", server.dataDir];
  equal((await runProgram(args, { env: { SUDO_USER: "dave" } })).code, 0);
  const line = server.log.split("\n").find((one) => one.includes("admin_change"))!;
  const { operator, sudo_user_unverified } = JSON.parse(line);
  deepEqual([operator, sudo_user_unverified], [`local:${Deno.uid()}`, "dave"]);
});

Deno.test("a group that isn't there, or a socket that it couldn't reach, stops the start", async () => {
  await using folder = await temporaryFolder();
  const refused = async (...args: string[]) => {
    await using data = await temporaryFolder();
    return await StartedServer.refused({ dataDir: data.path, args });
  };
  const unknown = await refused("--admin-socket", `${folder.path}/s`, "--admin-socket-group", "no-such-group");
  deepEqual([unknown.code, /There is no group "no-such-group"/.test(unknown.log)], [78, true]);
  const inside = await refused("--admin-socket-group", "root");
  deepEqual([inside.code, /can't reach an admin socket in the data folder/.test(inside.log)], [78, true]);
});

Deno.test("who is cut off and is an operator too is told to be, for that token works on", async () => {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  await admin.issue("carol");
  equal((await cli(server, ["operator", "add", "Carol", "--scope", "read"])).code, 0);
  const cut = await cli(server, ["user", "cutoff", "carol"]);
  match(cut.stdout, /^Still open: +the operator Carol; if it is the same person: runevault operator remove Carol$/m);
  equal((await cli(server, ["operator", "remove", "Carol"])).code, 0);
  doesNotMatch((await cli(server, ["user", "cutoff", "carol"])).stdout, /Still open/);
});
