/**
 * A machine whose clock steps, at start and while running: what the vault ends, what it only refuses, what it says.
 * libfaketime moves the wall clock of a real server; its monotonic clock goes on.
 *
 * @module
 */

import { equal, match, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { ClockBody, StatusReport } from "../../admin/wire.ts";
import { AdminHttp, cli, eventually, sleep, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

const LIBRARIES = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];

async function findLibrary(): Promise<string | null> {
  for (const folder of LIBRARIES) {
    const path = `${folder}/libfaketime.so.1`;
    if (await Deno.stat(path).then(() => true, () => false)) return path;
  }
  return null;
}

const library = await findLibrary();
const ignore = library === null && Deno.env.get("RUNEVAULT_TEST_ALL") !== "1";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name} [apt install faketime]`, ignore, fn });
}

/** Starts servers on one data folder by a clock that can be set. */
async function withClock(
  use: (start: () => Promise<StartedServer>, set: (offset: string) => Promise<void>) => Promise<void>,
) {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/time`;
  const dataDir = `${folder.path}/data`;
  await Deno.mkdir(dataDir, { mode: 0o700 });
  const set = (offset: string) => Deno.writeTextFile(file, `${offset}\n`);
  await set("+0");
  const env = {
    LD_PRELOAD: library!,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  await use(() => StartedServer.start({ dataDir, env }), set);
}

async function health(admin: AdminHttp): Promise<StatusReport> {
  return await admin.expect<StatusReport>("GET", "/status");
}

test("a year forward while running: expired tokens are refused, not ended, until the clock is accepted", async () => {
  await withClock(async (start, set) => {
    await using server = await start();
    using admin = AdminHttp.of(server);
    using vault = VaultClient.of(server);
    const token = await admin.issue("alice", "member", 30);
    const forEver = await admin.issue("bob");
    await set("+365d");
    await eventually("the step is seen", async () => (await health(admin)).health === "degraded");
    match((await health(admin)).reasons.join(), /clock doubted: the clock went forward/);
    const refused = await vault.manifest(token);
    equal(refused.code, status.UNAUTHENTICATED);
    match(refused.details, /expired/i);
    equal((await vault.manifest(forEver)).code, status.OK);
    await set("+0");
    await eventually("the clock is put back", async () => (await health(admin)).health === "healthy");
    equal((await vault.manifest(token)).code, status.OK, "nothing was ended");

    await set("+365d");
    await eventually("the step is seen again", async () => (await health(admin)).health === "degraded");
    const { code, stdout, stderr } = await cli(server, ["clock", "accept"]);
    equal(code, 0, stderr);
    match(stdout, /trusted/);
    await eventually("the token is ended", async () => {
      return (await admin.ask("GET", "/tokens/alice")).status === 404;
    }, 70_000);
    await set("+0");
    equal((await vault.manifest(token)).code, status.UNAUTHENTICATED, "for good");
  });
});

test("an hour and a second, back and forward while running: windows and calls don't mind", async () => {
  await withClock(async (start, set) => {
    await using server = await start();
    using admin = AdminHttp.of(server);
    using vault = VaultClient.of(server);
    await admin.createRole("five", ["get_public_key"], "5/60s");
    const token = await admin.issue("alice", "five", 30);
    for (const offset of ["+1", "-1", "+50m", "-50m", "-3600", "-365d"]) {
      await set(offset);
      ok((await vault.manifest(token)).code !== status.UNAUTHENTICATED, offset);
    }
    equal((await vault.manifest(token)).code, status.RESOURCE_EXHAUSTED, "no step emptied the window");
  });
});

test("a start a year later is doubted, one with the clock put right is not", async () => {
  await withClock(async (start, set) => {
    let token = "";
    {
      await using server = await start();
      using admin = AdminHttp.of(server);
      token = await admin.issue("alice", "member", 30);
    }
    await set("+365d");
    {
      await using server = await start();
      using admin = AdminHttp.of(server);
      using vault = VaultClient.of(server);
      match((await health(admin)).reasons.join(), /clock doubted: .* away for 36[45] days/);
      equal((await admin.expect<ClockBody>("GET", "/clock")).state, "doubted");
      await sleep(1500);
      equal((await vault.manifest(token)).code, status.UNAUTHENTICATED);
      equal((await admin.ask("GET", "/tokens/alice")).status, 200, "it is not ended");
    }
    await set("+0");
    await using server = await start();
    using admin = AdminHttp.of(server);
    using vault = VaultClient.of(server);
    equal((await health(admin)).health, "healthy");
    equal((await vault.manifest(token)).code, status.OK);
  });
});

test("starts a second, an hour and a year before and after the last one keep every token and end none", async () => {
  await withClock(async (start, set) => {
    let token = "";
    {
      await using server = await start();
      using admin = AdminHttp.of(server);
      token = await admin.issue("alice", "member", 30);
    }
    for (const offset of ["+1", "-1", "+3600", "-3600", "-365d", "+365d", "+0"]) {
      await set(offset);
      await using server = await start();
      using admin = AdminHttp.of(server);
      using vault = VaultClient.of(server);
      equal((await admin.ask("GET", "/tokens/alice")).status, 200, `${offset}: nothing is ended`);
      const { code } = await vault.manifest(token);
      equal(code, offset === "+365d" ? status.UNAUTHENTICATED : status.OK, offset);
    }
  });
});
