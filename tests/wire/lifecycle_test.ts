/**
 * Connections that stay, and servers that go: keepalive, SIGTERM with calls in flight, addresses, free ports.
 *
 * @module
 */

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { connect } from "node:http2";
import { status } from "@grpc/grpc-js";
import { AdminHttp, eventually, sleep, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

/** `READY` of gRPC's connectivity states. */
const READY = 2;

Deno.test("pings keep an idle connection, however often they come", async () => {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  const token = await admin.issue("alice");
  // What every 10 s does in a minute, every 20 ms does in a second: no count of pings ends the connection.
  const pings = { "grpc.keepalive_time_ms": 20, "grpc.keepalive_timeout_ms": 20_000 };
  using vault = VaultClient.of(server, { ...pings, "grpc.keepalive_permit_without_calls": 1 });
  equal((await vault.manifest(token)).code, status.OK);
  const channel = vault.channel.getChannel();
  const left = new Promise<boolean>((resolve) => {
    channel.watchConnectivityState(READY, Date.now() + 1500, (error) => resolve(error === undefined));
  });
  equal(await left, false, "the connection was never given up");
  equal((await vault.manifest(token)).code, status.OK);
});

Deno.test("pings are answered during a call that takes long", async () => {
  await using server = await StartedServer.start();
  const session = connect(`http://${server.addresses.grpc}`);
  const goaway = Promise.withResolvers<number>();
  session.on("goaway", (code) => goaway.resolve(code));
  session.on("error", () => goaway.resolve(-1));
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  const batch = vault.seal(await admin.issue("alice", "admin"), Array.from({ length: 50_000 }, () => "x"));
  for (let i = 0; i < 50; i++) {
    await new Promise<void>((resolve, reject) => session.ping((error) => error ? reject(error) : resolve()));
  }
  equal((await batch).code, status.OK);
  equal(await Promise.race([goaway.promise, sleep(50).then(() => "none")]), "none");
  session.destroy();
});

Deno.test("SIGTERM lets a call in flight finish, refuses new connections, and ends with 0", async () => {
  const server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  const token = await admin.issue("alice", "admin");
  using vault = VaultClient.of(server);
  const texts = Array.from({ length: 30_000 }, (_, i) => `text ${i}`);
  const batch = vault.seal(token, texts);
  // Over the same connection: what is answered arrived after the batch had begun.
  equal((await vault.manifest(token)).code, status.OK);
  server.signal("SIGTERM");
  const { code, message, details } = await batch;
  equal(code, status.OK, details);
  equal(message?.envelopes.length, texts.length);
  equal(await server.exited(), 0);
  using late = VaultClient.of(server);
  equal((await late.manifest(token, { deadlineMs: 20_000 })).code, status.UNAVAILABLE);
  await server.stop();
});

Deno.test("SIGTERM is obeyed while connections idle and one conversation hangs", async () => {
  const server = await StartedServer.start();
  using idle = VaultClient.of(server);
  equal((await idle.health()).code, status.OK);
  const port = Number(server.addresses.grpc!.split(":").at(-1));
  using _silent = await Deno.connect({ hostname: "127.0.0.1", port });
  equal(await server.stop(), 0);
  // Ten seconds are the most that anybody is waited for; `stop` allows for a slow machine.
});

Deno.test("addresses.json names the listeners while the server runs, and goes with it", async () => {
  await using folder = await temporaryFolder();
  await using server = await StartedServer.start({ dataDir: folder.path });
  const path = `${folder.path}/addresses.json`;
  const written = JSON.parse(await Deno.readTextFile(path));
  equal(written.pid, server.pid);
  for (const listener of ["grpc", "api", "admin", "admin_socket", "metrics"] as const) {
    equal(written[listener], server.addresses[listener], listener);
  }
  equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  equal(await server.stop(), 0);
  await eventually("addresses.json is gone", () => Deno.stat(path).then(() => false, () => true));
});

Deno.test("a listener that is off is null, and the others work", async () => {
  await using server = await StartedServer.start({ args: ["--admin-addr", "off", "--metrics-addr", "off"] });
  equal(server.addresses.admin, null);
  equal(server.addresses.metrics, null);
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  equal((await vault.manifest(await admin.issue("alice"))).code, status.OK);
});

Deno.test("a port that is taken stops the start with 78, the address and the flag", async () => {
  await using server = await StartedServer.start();
  for (
    const [flag, address] of [["--grpc-addr", "grpc"], ["--metrics-addr", "metrics"], [
      "--admin-addr",
      "admin",
    ]] as const
  ) {
    await using folder = await temporaryFolder();
    const taken = server.addresses[address]!;
    const { code, log } = await StartedServer.refused({ dataDir: folder.path, args: [flag, taken] });
    equal(code, 78, flag);
    ok(log.includes(taken) && log.includes(flag), log);
  }
});

Deno.test("serve --dev prints the fresh token of a user, takes loopback alone, and leaves nothing behind", async () => {
  await using folder = await temporaryFolder();
  const dev = { dataDir: folder.path, env: { TMPDIR: folder.path }, without: ["--data-dir", "--tls"] };
  const tokens = [];
  for (let i = 0; i < 2; i++) {
    await using server = await StartedServer.start({ ...dev, args: ["--dev"] });
    await eventually("the token is printed", () => /token evt_[0-9a-f]{32}/.test(server.log));
    const token = /token (evt_[0-9a-f]{32})/.exec(server.log)![1]!;
    using vault = VaultClient.of(server);
    equal((await vault.manifest(token)).code, status.OK);
    tokens.push(token);
    equal(await server.stop(), 0);
  }
  notEqual(tokens[0], tokens[1]);
  const { code, log } = await StartedServer.refused({ ...dev, args: ["--dev", "--grpc-addr", "0.0.0.0:0"] });
  equal(code, 78);
  match(log, /loopback/);
  deepEqual(await Array.fromAsync(Deno.readDir(folder.path)), []);
});
