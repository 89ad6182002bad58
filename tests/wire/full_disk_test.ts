/**
 * A disk that takes no more: the change is refused, nothing of it is there, everything else goes on.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { RoleRow, StatusReport, UserRow } from "../../admin/wire.ts";
import { AdminHttp, eventually, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

/** Lets the server see a failing `write(2)` where a limit on file sizes would otherwise end it by a signal. */
const UNDER_FILE_LIMIT = ["sh", "-c", `trap "" XFSZ; exec "$@"`, "sh"];

async function run(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const all = Deno.env.get("RUNEVAULT_TEST_ALL") === "1";
const ignoreLimit = !all && !await run("prlimit", "--version");
const ignoreMount = !all && Deno.uid() !== 0;

/** What a test does to the disk of a running server. */
interface Disk {
  fill(): Promise<void>;
  free(): Promise<void>;
}

/** Issues until the disk refuses; how many it took depends on the free pages of the database. */
async function issueUntilRefused(admin: AdminHttp, issued: Map<string, string>): Promise<string> {
  for (let i = 0; i < 2000; i++) {
    const user = `filler${issued.size}`;
    const { status, body } = await admin.ask<{ token: string; kind?: string; error?: string }>("POST", "/tokens", {
      user,
      role: "member",
    });
    if (status === 201) issued.set(user, body.token);
    else {
      ok(["500 storage_failed", "503 audit_unavailable"].includes(`${status} ${body.kind}`), `${body.error}`);
      return user;
    }
  }
  throw new Error("The disk took two thousand changes");
}

async function surviveFullDisk(
  dataDir: string,
  start: () => Promise<StartedServer>,
  disk: (server: StartedServer) => Disk,
  hasRoomForEntries: boolean,
) {
  const issued = new Map<string, string>();
  const alive = async (vault: VaultClient) => {
    for (const [user, token] of issued) equal((await vault.manifest(token)).code, status.OK, user);
  };
  await using server = await start();
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  issued.set("alice", await admin.issue("alice"));
  await alive(vault);
  const { fill, free } = disk(server);
  await fill();
  const refused = await issueUntilRefused(admin, issued);

  // Whatever can't be recorded isn't answered, so what was refused is looked at where there is room for its entry.
  const isRefused = ({ status }: { status: number }) => ok(status === 500 || status === 503, `${status}`);
  isRefused(await admin.ask("DELETE", "/tokens/alice"));
  isRefused(await admin.ask("PUT", "/roles/member", { top_k: 3 }));
  isRefused(await admin.ask("POST", "/secrets/rotate"));
  ok(!server.log.includes(issued.get("alice")!));
  if (!hasRoomForEntries) {
    await eventually("nothing is answered unrecorded", async () => {
      return (await vault.manifest(issued.get("alice")!)).code === status.UNAVAILABLE;
    }, 10_000);
    await free();
    await eventually("the audit file is written again", async () => {
      return (await vault.manifest(issued.get("alice")!)).code === status.OK;
    }, 10_000);
  }
  equal((await admin.ask("GET", `/users/${refused}`)).status, 404, "no half of a user");
  equal((await vault.manifest(issued.get("alice")!)).code, status.OK, "a revocation that was refused did not happen");
  equal((await admin.expect<RoleRow>("GET", "/roles/member")).top_k, 10);
  equal((await admin.expect<StatusReport>("GET", "/status")).secret_version, 1);
  const envelopes = (await vault.seal(issued.get("alice")!, ["still"])).message!.envelopes;
  deepEqual((await vault.open(issued.get("alice")!, envelopes)).message?.decryptedMetadata, ["still"]);

  if (hasRoomForEntries) await free();
  const late = await admin.issue(refused);
  issued.set(refused, late);
  await admin.revoke("alice");
  const dead = issued.get("alice")!;
  issued.delete("alice");
  await eventually("the files are written again", async () => {
    const { files } = await admin.expect<StatusReport>("GET", "/status");
    return files.every(({ state }) => state === "written");
  }, 10_000);
  await server.kill();

  await using again = await StartedServer.start({ dataDir });
  using later = VaultClient.of(again);
  await alive(later);
  equal((await later.manifest(dead)).code, status.UNAUTHENTICATED);
  using adminLater = AdminHttp.of(again);
  const { users } = await adminLater.expect<{ users: UserRow[] }>("GET", "/users");
  deepEqual(users.map(({ name }) => name).sort(), [...issued.keys(), "alice"].sort());
}

Deno.test({
  name: "files that may not grow: a change is refused and half of none is done [apt install util-linux]",
  ignore: ignoreLimit,
  fn: async () => {
    await using folder = await temporaryFolder();
    const limit = async (pid: number, soft: string) => {
      ok(await run("prlimit", "--pid", String(pid), `--fsize=${soft}:unlimited`));
    };
    await surviveFullDisk(
      folder.path,
      () => StartedServer.start({ dataDir: folder.path, under: UNDER_FILE_LIMIT }),
      (server) => ({
        fill: async () => limit(server.pid, String((await Deno.stat(`${folder.path}/runevault.db-wal`)).size)),
        free: () => limit(server.pid, "unlimited"),
      }),
      true,
    );
  },
});

Deno.test({
  name: "a full file system: a change is refused and half of none is done [needs root]",
  ignore: ignoreMount,
  fn: async () => {
    await using folder = await temporaryFolder();
    await using _mounted = await mountSmall(folder.path, "4m");
    await surviveFullDisk(
      folder.path,
      () => StartedServer.start({ dataDir: folder.path }),
      () => ({
        fill: () => fillUp(`${folder.path}/filler`),
        free: () => Deno.remove(`${folder.path}/filler`),
      }),
      false,
    );
  },
});

async function mountSmall(path: string, size: string): Promise<AsyncDisposable> {
  ok(await run("mount", "-t", "tmpfs", "-o", `size=${size},mode=700`, "tmpfs", path), "mount");
  return { [Symbol.asyncDispose]: async () => ok(await run("umount", path), "umount") };
}

/** Writes until nothing more goes. */
async function fillUp(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  for (let size = 65_536; size >= 1; size = Math.floor(size / 2)) {
    try {
      while (true) if (await file.write(new Uint8Array(size)) === 0) break;
    } catch (error) {
      ok(error instanceof Error && /space|quota/i.test(error.message), String(error));
    }
  }
}

Deno.test({
  name: "a disk that is full from the start stops it with a reason [needs root]",
  ignore: ignoreMount,
  fn: async () => {
    await using folder = await temporaryFolder();
    await using _mounted = await mountSmall(folder.path, "64k");
    await fillUp(`${folder.path}/filler`);
    const { code, log } = await StartedServer.refused({ dataDir: folder.path });
    ok(code !== 0, log);
    ok(/space|full/i.test(log), log);
    await Deno.remove(`${folder.path}/filler`);
  },
});
