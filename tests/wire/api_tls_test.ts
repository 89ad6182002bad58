/**
 * The identity API over TLS: the certificate of the private authority, LIST, and what a plaintext client gets.
 */

import { equal, match, rejects } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { VaultClient } from "../clients.ts";
import { StartedServer } from "../started_server.ts";

Deno.test("the identity API is served over TLS by the private authority, and over nothing else", async () => {
  await using server = await StartedServer.start({ args: ["--tls", "auto"] });
  const port = server.addresses.api!.split(":")[1];
  const caCerts = [await Deno.readTextFile(`${server.dataDir}/tls/ca.pem`)];
  using client = Deno.createHttpClient({ caCerts });
  const health = await fetch(`https://localhost:${port}/v1/sys/health`, { client });
  equal((await health.json()).initialized, true);
  equal(health.headers.get("strict-transport-security"), "max-age=31536000; includeSubDomains");
  const list = await fetch(`https://localhost:${port}/v1/sys/policies/acl`, { client, method: "LIST" });
  equal(list.status, 403);
  await list.body?.cancel();
  await rejects(fetch(`https://localhost:${port}/v1/sys/health`), /certificate|UnknownIssuer/i);
  await rejects(fetch(`http://localhost:${port}/v1/sys/health`));
  match(server.log, /no_public_url/);
});

Deno.test("S22: VAULT_TLS_DISABLE takes TLS from gRPC alone: the identity API is still served over nothing else", async () => {
  await using server = await StartedServer.start({ env: { VAULT_TLS_DISABLE: "true" }, without: ["--tls"] });
  using vault = VaultClient.of(server);
  equal((await vault.manifest("")).code, status.UNAUTHENTICATED, "in plaintext");
  const port = server.addresses.api!.split(":")[1];
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(`${server.dataDir}/tls/ca.pem`)] });
  const health = await fetch(`https://localhost:${port}/v1/sys/health`, { client });
  equal((await health.json()).initialized, true);
  await rejects(fetch(`http://localhost:${port}/v1/sys/health`));
});

Deno.test("a replaced certificate is in use for new connections without a restart", async () => {
  const folder = await Deno.makeTempDir();
  const made = await StartedServer.start({ dataDir: folder, args: ["--tls", "auto"] });
  await made.stop();
  const [first, key] = [`${folder}/tls/server.pem`, `${folder}/tls/server.key`];
  const ca = await Deno.readTextFile(`${folder}/tls/ca.pem`);
  const other = await Deno.makeTempDir();
  const second = await StartedServer.start({ dataDir: other, args: ["--tls", "auto"] });
  await second.stop();
  const otherCa = await Deno.readTextFile(`${other}/tls/ca.pem`);
  const files = ["--tls", "files", "--tls-cert", first, "--tls-key", key];
  const server = await StartedServer.start({ dataDir: folder, args: files });
  try {
    const port = server.addresses.api!.split(":")[1];
    const trusts = async (authority: string): Promise<boolean> => {
      using client = Deno.createHttpClient({ caCerts: [authority] });
      try {
        await (await fetch(`https://localhost:${port}/v1/sys/health`, { client })).body?.cancel();
        return true;
      } catch (error) {
        if (error instanceof TypeError) return false;
        throw error;
      }
    };
    equal(await trusts(ca), true);
    await Deno.copyFile(`${other}/tls/server.key`, `${key}.new`);
    await Deno.copyFile(`${other}/tls/server.pem`, `${first}.new`);
    await Deno.rename(`${key}.new`, key);
    await Deno.rename(`${first}.new`, first);
    const until = performance.now() + 15_000;
    while (!await trusts(otherCa) && performance.now() < until) await new Promise((done) => setTimeout(done, 250));
    equal(await trusts(otherCa), true);
    equal(await trusts(ca), false);
  } finally {
    await server.stop();
    for (const path of [folder, other]) await Deno.remove(path, { recursive: true });
  }
});
