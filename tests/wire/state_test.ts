/**
 * Data folders that can't be served: each stops the start with exit code 78, says why, and stays as it was.
 *
 * @module
 */

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { AdminHttp, VaultClient } from "../clients.ts";
import { StartedServer, type StartOptions, temporaryFolder } from "../started_server.ts";

const SECRET = "a team secret of some length";

/** A data folder that a vault used: one user, whose token is told. */
async function usedFolder(options: Partial<StartOptions> = {}) {
  const folder = await temporaryFolder();
  await using server = await StartedServer.start({ ...options, dataDir: folder.path });
  using admin = AdminHttp.of(server);
  return { ...folder, token: await admin.issue("alice") };
}

async function assertServes(options: StartOptions, token: string): Promise<void> {
  await using server = await StartedServer.start(options);
  using vault = VaultClient.of(server);
  equal((await vault.manifest(token)).code, status.OK);
}

/** Expects a refusal with 78 whose text has all of these. */
async function assertRefused(options: StartOptions & { dataDir: string }, ...texts: (string | RegExp)[]) {
  const { code, log } = await StartedServer.refused(options);
  equal(code, 78, log);
  for (const text of texts) typeof text === "string" ? ok(log.includes(text), `${text} in ${log}`) : match(log, text);
  return log;
}

function without(...flags: string[]) {
  return { without: flags };
}

Deno.test("a second server on the same data folder is refused, whatever the path, and the first goes on", async () => {
  await using server = await StartedServer.start();
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  const token = await admin.issue("alice");
  await using links = await temporaryFolder();
  await Deno.symlink(server.dataDir, `${links.path}/link`);
  for (
    const path of [server.dataDir, `${links.path}/link`, `${server.dataDir}/../${server.dataDir.split("/").at(-1)}`]
  ) {
    await assertRefused({ dataDir: path }, "Another runevault uses the data folder", "hint:");
  }
  const addresses = JSON.parse(await Deno.readTextFile(`${server.dataDir}/addresses.json`));
  equal(addresses.pid, server.pid, "the first one's addresses stay");
  equal((await vault.manifest(token)).code, status.OK);
  equal((await admin.ask("GET", "/status")).status, 200);
});

Deno.test("after a kill the folder is free again", async () => {
  await using folder = await temporaryFolder();
  await using first = await StartedServer.start({ dataDir: folder.path });
  using admin = AdminHttp.of(first);
  const token = await admin.issue("alice");
  await first.kill();
  ok(await Deno.stat(`${folder.path}/admin.sock`), "what the killed one left is there");
  await assertServes({ dataDir: folder.path }, token);
});

Deno.test("secret files that others may read or write stop the start with the chmod", async (t) => {
  await using folder = await usedFolder();
  const dataDir = folder.path;
  const files = ["seal.key", "admin.token", "vault-tokens.yml", "runevault.db"];
  for (const file of files) {
    for (const mode of [0o644, 0o640, 0o602]) {
      await t.step(`${file} ${mode.toString(8)}`, async () => {
        const path = `${dataDir}/${file}`;
        await Deno.chmod(path, mode);
        await assertRefused({ dataDir }, `chmod 600 ${path}`);
        equal((await Deno.stat(path)).mode! & 0o777, mode, "the mode is the operator's to change");
        await Deno.chmod(path, 0o600);
      });
    }
  }
  for (const mode of [0o755, 0o750, 0o711]) {
    await t.step(`the data folder ${mode.toString(8)}`, async () => {
      await Deno.chmod(dataDir, mode);
      await assertRefused({ dataDir }, `chmod 700 ${dataDir}`);
      await Deno.chmod(dataDir, 0o700);
    });
  }
  await t.step("with the modes put right it serves", () => assertServes({ dataDir }, folder.token));
});

Deno.test("so does a team secret or a configuration with a secret that others may read", async () => {
  await using folder = await temporaryFolder();
  await using other = await temporaryFolder();
  await Deno.chmod(folder.path, 0o700);
  const secret = `${other.path}/team.secret`;
  await Deno.writeTextFile(secret, SECRET, { mode: 0o644 });
  const args = ["--team-secret-file", secret];
  await assertRefused({ dataDir: folder.path, args }, `chmod 600 ${secret}`);
  const config = `${other.path}/runevault.yml`;
  await Deno.writeTextFile(config, `team_secret: ${SECRET}\n`, { mode: 0o644 });
  await assertRefused({ dataDir: folder.path, args: ["--config", config] }, `chmod 600 ${config}`);
  await Deno.writeTextFile(config, "index_name: team\n", { mode: 0o644 });
  await using server = await StartedServer.start({ dataDir: folder.path, args: ["--config", config] });
  equal(await server.stop(), 0, "one without a secret may be read by all");
});

Deno.test("systemd guards the files under $CREDENTIALS_DIRECTORY, and none that only seem to be there", async () => {
  await using folder = await usedFolder({ env: { RUNEVAULT_TEAM_SECRET: SECRET } });
  await using credentials = await temporaryFolder();
  const dataDir = folder.path;
  const [key, secret] = [`${credentials.path}/seal.key`, `${credentials.path}/team`];
  await Deno.rename(`${dataDir}/seal.key`, key);
  await Deno.writeTextFile(secret, `${SECRET}\n`);
  for (const path of [key, secret]) await Deno.chmod(path, 0o440);
  const env = { CREDENTIALS_DIRECTORY: credentials.path };
  await assertServes({ dataDir, env, args: ["--seal-key-file", key, "--team-secret-file", secret] }, folder.token);
  await assertRefused({ dataDir, args: ["--seal-key-file", key] }, `chmod 600 ${key}`);
  await Deno.mkdir(`${credentials.path}-not`);
  const beside = `${credentials.path}-not/seal.key`;
  await Deno.copyFile(key, beside);
  for (const path of [beside, `${credentials.path}/../${beside.split("/").slice(-2).join("/")}`]) {
    await assertRefused({ dataDir, env, args: ["--seal-key-file", path] }, "chmod 600");
  }
  await Deno.remove(`${credentials.path}-not`, { recursive: true });
});

Deno.test("a store without its seal key is not served, and no new key is made", async () => {
  await using folder = await usedFolder();
  const dataDir = folder.path;
  const path = `${dataDir}/seal.key`;
  const key = await Deno.readFile(path);
  await Deno.remove(path);
  await assertRefused({ dataDir }, "seal key", "missing");
  equal(await Deno.stat(path).then(() => true, () => false), false);
  await Deno.writeFile(path, key.map((byte) => byte ^ 1), { mode: 0o600 });
  const log = await assertRefused({ dataDir }, "seal key");
  equal(new Set(log.match(/\b[0-9a-f]{16}\b/g)).size, 2, `both fingerprints: ${log}`);
  for (const wrong of [key.slice(0, 31), new Uint8Array(), new Uint8Array([...key, 10])]) {
    await Deno.writeFile(path, wrong);
    await assertRefused({ dataDir }, `${wrong.length} bytes`);
  }
  await Deno.writeFile(path, key);
  await assertServes({ dataDir }, folder.token);
});

Deno.test("another team secret than the store's is refused with both fingerprints; the same or none is fine", async () => {
  await using folder = await usedFolder({ env: { VAULT_TEAM_SECRET: SECRET } });
  const dataDir = folder.path;
  const log = await assertRefused({ dataDir, env: { VAULT_TEAM_SECRET: `${SECRET}!` } }, "team secret");
  equal(new Set(log.match(/\b[0-9a-f]{16}\b/g)).size, 2, `both fingerprints: ${log}`);
  ok(!log.includes(SECRET));
  await Deno.writeTextFile(`${dataDir}/team`, "one more", { mode: 0o600 });
  await assertRefused({ dataDir, args: ["--team-secret-file", `${dataDir}/team`] }, "team secret");
  await assertServes({ dataDir, env: { RUNEVAULT_TEAM_SECRET: ` ${SECRET}\n` } }, folder.token);
  await assertServes({ dataDir }, folder.token);
});

Deno.test("two stores without a given team secret have different ones", async () => {
  const token = "evt_00112233445566778899aabbccddeeff";
  const deks = await Promise.all([1, 2].map(async () => {
    await using folder = await temporaryFolder();
    const row = `tokens:\n  - {user: alice, token: ${token}, role: member}\n`;
    await Deno.writeTextFile(`${folder.path}/vault-tokens.yml`, row, { mode: 0o600 });
    await using server = await StartedServer.start({ dataDir: folder.path });
    using vault = VaultClient.of(server);
    return (await vault.bundle(token)).agent_dek;
  }));
  notEqual(deks[0], deks[1], "the keys of one agent id");
});

Deno.test("a configuration with an unknown key, or a value that is none, is refused and named", async () => {
  await using folder = await temporaryFolder();
  const dataDir = folder.path;
  await Deno.chmod(dataDir, 0o700);
  const cases: [yaml: string, ...texts: (string | RegExp)[]][] = [
    ["indexname: team\n", 'unknown key "indexname"'],
    ["index_name: team\nnested: {a: 1}\n", 'unknown key "nested"'],
    ["tls: maybe\n", "--tls", "auto, files, off"],
    ["allow_plaintext: perhaps\n", "--allow-plaintext"],
    ["fhe_dim: many\n", "--fhe-dim"],
    ["index_name: [a, b]\n", "--index-name"],
    ["index_name: a\nindex_name: b\n", "runevault.yml"],
    ["- a list\n", "mapping"],
    ["index_name: 'no end\n", "runevault.yml"],
    ["a: &a [x]\nb: *a\n", "runevault.yml"],
  ];
  for (const [yaml, ...texts] of cases) {
    await Deno.writeTextFile(`${dataDir}/runevault.yml`, yaml, { mode: 0o600 });
    await assertRefused({ dataDir, ...without("--tls") }, ...texts);
  }
  for (
    const [flag, value] of [["--grpc-addr", "here"], ["--metrics-addr", "1.2.3.4:99999"], ["--admin-addr", "0.0.0.0:0"]]
  ) {
    await Deno.writeTextFile(`${dataDir}/runevault.yml`, "{}\n");
    await assertRefused(
      { dataDir, args: [flag!, value!] },
      `${flag} `,
      value!.includes(":") ? value!.split(":")[0]! : "host:port",
    );
  }
});

Deno.test("flags beat the environment, which beats the file", async () => {
  await using folder = await usedFolder();
  const { path: dataDir, token } = folder;
  await Deno.writeTextFile(`${dataDir}/runevault.yml`, "index_name: file\nenvector_endpoint: file\n", { mode: 0o600 });
  const env = { RUNEVAULT_INDEX_NAME: "environment" };
  const told = async (options: StartOptions) => {
    await using server = await StartedServer.start({ dataDir, ...options });
    using vault = VaultClient.of(server);
    const { index_name, envector_endpoint } = await vault.bundle(token);
    return [index_name, envector_endpoint];
  };
  deepEqual(await told({}), ["file", "file"]);
  deepEqual(await told({ env }), ["environment", "file"]);
  deepEqual(await told({ env, args: ["--index-name", "flag"] }), ["flag", "file"]);
});

Deno.test("a database that is damaged, another program's, or newer is refused and left alone", async () => {
  await using folder = await usedFolder();
  const dataDir = folder.path;
  const path = `${dataDir}/runevault.db`;
  const original = await Deno.readFile(path);
  const damaged = original.slice();
  damaged.fill(0x5a, 0, 4096);
  const newer = original.slice();
  newer.set([0, 0, 0, 99], 60);
  const others = original.slice();
  others.set([1, 2, 3, 4], 68);
  for (const [what, bytes] of Object.entries({ damaged, newer, others })) {
    await Deno.writeFile(path, bytes);
    const log = await assertRefused({ dataDir }, path);
    ok(log.length < 1000, log);
    deepEqual(await Deno.readFile(path), bytes, what);
  }
  await Deno.writeFile(path, original);
  await assertServes({ dataDir }, folder.token);
});

Deno.test("the sockets that the relay may write are in a folder of their own, and nothing else is in it", async () => {
  await using folder = await temporaryFolder();
  await using server = await StartedServer.start({ dataDir: folder.path });
  equal(((await Deno.stat(`${server.dataDir}/relay`)).mode ?? 0) & 0o777, 0o700);
  for await (const { name, isFile } of Deno.readDir(`${server.dataDir}/relay`)) {
    match(name, /^(api|admin|metrics)(\.[0-9]+)?\.http$/);
    equal(isFile, false);
  }
  await Deno.chmod(`${server.dataDir}/relay`, 0o777);
  await server.kill();
  await assertRefused({ dataDir: folder.path }, "relay", "chmod");
});
