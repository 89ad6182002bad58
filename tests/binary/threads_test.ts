import { equal, ok } from "node:assert/strict";
import type { RoleRow } from "../../admin/wire.ts";
import { AdminHttp, eventually, sleep, VaultClient } from "../clients.ts";
import { StartedServer } from "../started_server.ts";
import { binaryPath } from "./_binary.ts";

binaryPath();

const ROTATIONS = 10;
const EDITS = 10;
const BACKUPS = 3;
/** Callers whose calls fill the audit file. */
const CALLERS = 20;

/** Descriptors by what they are; a connection that comes or goes is no matter. */
async function descriptors(pid: number): Promise<Record<string, number>> {
  const counted: Record<string, number> = {};
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "gone");
    const kind = target.replace(/:\[?.*$/, "");
    counted[kind] = (counted[kind] ?? 0) + 1;
  }
  return counted;
}

/** Eventually closed connections are gone. */
async function settled(pid: number): Promise<number> {
  let [before, now] = [-1, await all(pid)];
  for (let i = 0; i < 20 && before !== now; i++) {
    await sleep(1000);
    [before, now] = [now, await all(pid)];
  }
  return now;
}

async function all(pid: number): Promise<number> {
  return Object.values(await descriptors(pid)).reduce((sum, count) => sum + count, 0);
}

async function packedFiles(dataDir: string): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(dataDir))).filter(({ name }) => /^audit.*\.gz$/.test(name)).length;
}

async function rotate(server: StartedServer, times: number): Promise<void> {
  const wanted = await packedFiles(server.dataDir) + times;
  using client = VaultClient.of(server);
  let isOver = false;
  const calling = Array.from({ length: CALLERS }, async () => {
    while (!isOver) await client.health();
  });
  await eventually("files are rotated", async () => await packedFiles(server.dataDir) >= wanted, 300_000);
  isOver = true;
  await Promise.all(calling);
}

async function edit(server: StartedServer, admin: AdminHttp, topK: number): Promise<void> {
  const path = `${server.dataDir}/vault-roles.yml`;
  const isWritten = async () => {
    const { files } = await admin.expect<{ files: { name: string; state: string }[] }>("GET", "/files");
    return files.every(({ name, state }) => name !== "roles" || state === "written");
  };
  await eventually("the file is written", isWritten);
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace(/(member:\n.*\n {4}top_k: )\d+/, `$1${topK}`));
  server.signal("SIGHUP");
  const isTaken = async () => (await admin.expect<RoleRow>("GET", "/roles/member")).top_k === topK;
  await eventually("the edit is taken", isTaken);
}

async function backUp(server: StartedServer, admin: AdminHttp): Promise<void> {
  const { id } = await admin.expect<{ id: string }>("POST", "/backups", {});
  const http = Deno.createHttpClient({ proxy: { transport: "unix", path: server.addresses.admin_socket! } });
  try {
    const answer = await fetch(`http://localhost/backups/${id}/fetch`, {
      method: "POST",
      client: http,
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    equal(answer.status, 200);
    ok((await answer.arrayBuffer()).byteLength > 10_000);
  } finally {
    http.close();
  }
}

// The runtime 2.7.11 leaves two descriptors behind for each thread that has ended.
Deno.test("the binary has as many descriptors open after rotations, edits and backups as after the first of each", async () => {
  await using server = await StartedServer.start({ args: ["--audit-max-mb", "1"] });
  using admin = AdminHttp.of(server);
  await rotate(server, 1);
  await edit(server, admin, 100);
  await backUp(server, admin);
  const before = await settled(server.pid);
  await rotate(server, ROTATIONS);
  for (let i = 1; i <= EDITS; i++) await edit(server, admin, 100 + i);
  for (let i = 0; i < BACKUPS; i++) await backUp(server, admin);
  const after = await settled(server.pid);
  ok(
    after <= before + 3,
    `${before} descriptors before, ${after} after: ${JSON.stringify(await descriptors(server.pid))}`,
  );
});
