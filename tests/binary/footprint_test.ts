/**
 * Where the binary writes: into its data folder and nowhere else.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { status } from "@grpc/grpc-js";
import { AdminHttp, cli, eventually, sleep, VaultClient } from "../clients.ts";
import { StartedServer, type StartOptions, temporaryFolder } from "../started_server.ts";
import { binaryPath } from "./_binary.ts";

/** Makes a server do everything that writes. */
async function useFully(server: StartedServer): Promise<void> {
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  const token = await admin.issue("alice");
  equal((await vault.manifest(token)).code, status.OK);
  const { message } = await vault.seal(token, ["x"]);
  equal((await vault.open(token, message!.envelopes)).code, status.OK);
  await admin.expect("POST", "/keys/generate", { dimension: 384 });
  equal((await vault.publicKey(token)).code, status.OK);
  await admin.expect("POST", "/secrets/rotate");
  await admin.revoke("alice");
  server.signal("SIGHUP");
  equal((await cli(server, ["status"])).code, 0);
}

/** The paths that a process has open for writing, sockets and pipes aside. */
async function openForWriting(pid: number): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const path = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const info = await Deno.readTextFile(`/proc/${pid}/fdinfo/${name}`).catch(() => "");
    const flags = parseInt(/flags:\s*([0-7]+)/.exec(info)?.[1] ?? "0", 8);
    if (path.startsWith("/") && !path.startsWith("/dev/") && (flags & 3) !== 0) paths.push(path);
  }
  return paths;
}

Deno.test("nothing is written to the home folder, the temporary folder or the working folder", async () => {
  binaryPath();
  await using folder = await temporaryFolder();
  await using around = await temporaryFolder();
  const names = ["home", "tmp", "cache", "state", "config", "run"];
  for (const name of names) await Deno.mkdir(`${around.path}/${name}`);
  const env = {
    HOME: `${around.path}/home`,
    TMPDIR: `${around.path}/tmp`,
    XDG_CACHE_HOME: `${around.path}/cache`,
    XDG_STATE_HOME: `${around.path}/state`,
    XDG_CONFIG_HOME: `${around.path}/config`,
    XDG_RUNTIME_DIR: `${around.path}/run`,
  };
  const under = ["sh", "-c", `cd "$HOME" && exec "$@"`, "sh"];
  await using server = await StartedServer.start({ dataDir: folder.path, env, under });
  await useFully(server);
  for (const path of await openForWriting(server.pid)) ok(path.startsWith(`${folder.path}/`), path);
  equal(await server.stop(), 0);
  const left: string[] = [];
  for (const name of names) {
    for await (const entry of Deno.readDir(`${around.path}/${name}`)) left.push(`${name}/${entry.name}`);
  }
  deepEqual(left, []);
  const [files] = [await Array.fromAsync(Deno.readDir(folder.path))];
  deepEqual(files.map(({ name }) => name).sort(), [
    "admin.token",
    "audit.k0",
    "audit.key",
    "audit.log",
    "keys",
    "native",
    "relay",
    "runevault.db",
    "runevault.lock",
    "seal.key",
    "vault-roles.yml",
    "vault-tokens.yml",
  ]);
});

/** A mount namespace in which everything but the data folder is read-only. */
const READ_ONLY = `
  for each in $(awk '$2 != "/" {print $2}' /proc/self/mounts); do
    case $each in /proc*|/dev/pts) ;; *) mount -o remount,bind,ro "$each" 2>/dev/null || true ;; esac
  done
  mount --bind "$DATA" "$DATA" && mount -o remount,bind,ro / && ! touch /tmp/.runevault-probe 2>/dev/null && exec "$@"
`;

Deno.test({
  name: "it works where everything but its data folder is read-only [needs root]",
  ignore: Deno.env.get("RUNEVAULT_TEST_ALL") !== "1" && Deno.uid() !== 0,
  fn: async () => {
    binaryPath();
    await using folder = await temporaryFolder();
    const options: StartOptions = {
      dataDir: folder.path,
      env: { DATA: folder.path },
      under: ["unshare", "--mount", "--propagation", "private", "sh", "-c", READ_ONLY, "sh"],
    };
    await using server = await StartedServer.start(options);
    await useFully(server);
    equal(await server.stop(), 0);
  },
});

// The minifier of `deno compile` drops a `using` whose variable is read once: each file write left its folder open.
Deno.test("the binary closes what it opens: changes leave no more files open than before", async () => {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  const open = async () => {
    const links = await Array.fromAsync(Deno.readDir(`/proc/${server.pid}/fd`));
    const targets = links.map(({ name }) => Deno.readLink(`/proc/${server.pid}/fd/${name}`).catch(() => ""));
    return (await Promise.all(targets)).filter((target) => target.startsWith(server.dataDir)).sort();
  };
  await admin.issue("first");
  const settled = async () => {
    // Files are written some 200 ms after a change.
    await sleep(1000);
    let files = await open();
    await eventually("the files to be written", async () => {
      const former = files;
      await sleep(300);
      return isDeepStrictEqual(files = await open(), former) && !files.includes(server.dataDir);
    });
    return files;
  };
  const before = await settled();
  for (let i = 0; i < 5; i++) {
    await admin.issue(`user${i}`);
    await sleep(400);
  }
  deepEqual(await settled(), before);
});
