/**
 * Starts that only an operator can mend, which end with 78 so that no service starts them again and again: what is wrong,
 * what to do, and no stack.
 *
 * @module
 */

import { doesNotMatch, equal, match } from "node:assert/strict";
import { StartedServer, type StartOptions, temporaryFolder } from "../started_server.ts";

/** Expects a refusal with 78 that says something, and where to go on. */
async function assertRefused(options: StartOptions & { dataDir: string }, text: RegExp, hint: RegExp): Promise<void> {
  const { code, log } = await StartedServer.refused(options);
  equal(code, 78, log);
  match(log, text);
  match(/hint: (.*)/.exec(log)?.[1] ?? log, hint);
  doesNotMatch(log, /^ +at |resolved errors/m);
}

/** A data folder that a vault served from. */
async function usedFolder() {
  const folder = await temporaryFolder();
  await using _server = await StartedServer.start({ dataDir: folder.path });
  return folder;
}

Deno.test("a place for the seal key that isn't there is named", async () => {
  await using folder = await temporaryFolder();
  const args = ["--seal-key-file", `${folder.path}/nowhere/seal.key`];
  await assertRefused(
    { dataDir: `${folder.path}/data`, args },
    /can't start: .*nowhere\/seal\.key/,
    /folder must be there/,
  );
});

Deno.test("an audit file that can't be read is named", async () => {
  await using folder = await usedFolder();
  await Deno.rename(`${folder.path}/audit.log`, `${folder.path}/elsewhere`);
  await Deno.mkdir(`${folder.path}/audit.log`);
  await assertRefused(
    { dataDir: folder.path },
    /audit\.log can't be read: it is a folder/,
    /must be able to use the file/,
  );
});

Deno.test("a database that can be read and not written is refused before anybody is served", async () => {
  await using folder = await usedFolder();
  const script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"';
  const root = Deno.uid() === 0 ? [] : ["--map-root-user"];
  const under = ["unshare", ...root, "--mount", "sh", "-c", script, `${folder.path}/runevault.db`];
  await assertRefused({ dataDir: folder.path, under }, /runevault\.db cannot be written: .*readonly/, /write/);
});

Deno.test("a variable that sets nothing is told by its name, and the vault serves", async () => {
  await using server = await StartedServer.start({ env: { RUNEVAULT_GRPC_ADR: "a value of its own" } });
  match(server.log, /"unknown_variable","name":"RUNEVAULT_GRPC_ADR"/);
  doesNotMatch(server.log, /a value of its own/);
});

Deno.test("an address that can't be had is named, with what stands in the way", async () => {
  await using folder = await temporaryFolder();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  for (const flag of ["--grpc-addr", "--api-addr", "--metrics-addr", "--admin-addr"]) {
    const args = [flag, `127.0.0.1:${port}`];
    await assertRefused({ dataDir: folder.path, args }, /another program listens there/, /stop the program/);
  }
  const args = ["--grpc-addr", "192.0.2.1:50051", "--allow-plaintext"];
  await assertRefused({ dataDir: folder.path, args }, /no such address/, /0\.0\.0\.0/);
});
