/**
 * TLS of the gRPC port as clients meet it: the private authority, the operator's files, client certificates, none.
 *
 * @module
 */

import { equal, match, notEqual, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash, X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { ChannelCredentials, status } from "@grpc/grpc-js";
import type { StatusReport } from "../../admin/wire.ts";
import {
  CLIENT_EXTENSIONS,
  createTestCa,
  hasOpenssl,
  SERVER_EXTENSIONS,
  type TestPair,
} from "../../server/grpc/_test_certificates.ts";
import { LOOPBACK, madeCa, madeServer, writePair } from "../../server/tls/_fixtures.ts";
import { AdminHttp, cli, type Ended, eventually, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

const ignore = Deno.env.get("RUNEVAULT_TEST_ALL") !== "1" && !await hasOpenssl();
const TLS_AUTO = ["--tls", "auto"];

/** Calls over TLS, on a connection of its own. */
async function callOverTls(
  address: string,
  token: string,
  caPem: string | null,
  client?: TestPair,
): Promise<Ended<unknown>> {
  const pem = (text: string | undefined) => text === undefined ? null : Buffer.from(text);
  const ca = caPem === null ? null : Buffer.from(caPem);
  const credentials = ChannelCredentials.createSsl(ca, pem(client?.keyPem), pem(client?.certPem));
  using vault = new VaultClient(byName(address), {}, credentials);
  return await vault.manifest(token, { deadlineMs: 20_000 });
}

/** grpc-js asks for the server by the name it was given, and Deno's TLS takes no IP address there. */
function byName(address: string): string {
  return address.replace("127.0.0.1", "localhost");
}

/** The certificate that a port shows, in hex of its SHA-256; with an authority, it must be valid for 127.0.0.1. */
async function shownCertificate(address: string, ca?: string): Promise<string> {
  const port = Number(address.split(":").at(-1));
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
  const socket = connect({ host: "127.0.0.1", port, ALPNProtocols: ["h2"], ...trust }, () => {
    resolve(socket.getPeerCertificate().raw);
    socket.destroy();
  });
  socket.on("error", reject);
  return createHash("sha256").update(await promise).digest("hex");
}

function digestOf(certPem: string): string {
  return new X509Certificate(certPem).fingerprint256.replaceAll(":", "").toLowerCase();
}

function pairFiles(folder: string) {
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const write = async (pair: TestPair) => {
    await Deno.writeTextFile(cert, pair.certPem);
    await Deno.writeTextFile(key, pair.keyPem, { mode: 0o600 });
  };
  return { cert, key, write, args: ["--tls", "files", "--tls-cert", cert, "--tls-key", key] };
}

Deno.test("--tls auto: who trusts ca.pem gets through, others and plaintext don't, over restarts", async () => {
  await using folder = await temporaryFolder();
  await using server = await StartedServer.start({ dataDir: folder.path, args: TLS_AUTO });
  using admin = AdminHttp.of(server);
  const token = await admin.issue("alice");
  const address = server.addresses.grpc!;
  const caPem = await Deno.readTextFile(`${folder.path}/tls/ca.pem`);
  equal((await callOverTls(address, token, caPem)).code, status.OK);
  equal((await shownCertificate(address, caPem)).length, 64, "it is valid for the IP address as well");
  equal((await callOverTls(address, token, null)).code, status.UNAVAILABLE, "with the system's authorities");
  using plain = new VaultClient(address);
  equal((await plain.manifest(token, { deadlineMs: 20_000 })).code, status.UNAVAILABLE);
  match(server.log, new RegExp(`${folder.path}/tls/ca.pem`));
  for (const file of ["ca.key", "server.key"]) {
    equal((await Deno.stat(`${folder.path}/tls/${file}`)).mode! & 0o777, 0o600, file);
  }
  await server.stop();
  await using again = await StartedServer.start({ dataDir: folder.path, args: TLS_AUTO });
  equal(await Deno.readTextFile(`${folder.path}/tls/ca.pem`), caPem);
  equal((await callOverTls(again.addresses.grpc!, token, caPem)).code, status.OK);
});

Deno.test("status and token issue tell the authority's SHA-256 to pin", async () => {
  await using server = await StartedServer.start({ args: TLS_AUTO });
  using admin = AdminHttp.of(server);
  const caPem = await Deno.readTextFile(`${server.dataDir}/tls/ca.pem`);
  const { tls } = await admin.expect<StatusReport>("GET", "/status");
  equal(tls!.ca_sha256!.replaceAll(":", "").toLowerCase(), digestOf(caPem));
  const { stderr } = await cli(server, ["token", "issue", "--user", "alice", "--role", "member"]);
  ok(stderr.includes(tls!.ca_sha256!), stderr);
});

Deno.test({
  name: "--tls files: a replaced pair is in use within ten seconds, a broken one is not [apt install openssl]",
  ignore,
  fn: async () => {
    await using ca = await createTestCa("an operator's authority");
    await using other = await createTestCa("another authority");
    await using folder = await temporaryFolder();
    const files = pairFiles(folder.path);
    const first = await ca.issue("localhost", SERVER_EXTENSIONS);
    await files.write(first);
    await using server = await StartedServer.start({ args: files.args });
    using admin = AdminHttp.of(server);
    const token = await admin.issue("alice");
    const address = server.addresses.grpc!;
    equal((await callOverTls(address, token, ca.certPem)).code, status.OK);
    equal((await callOverTls(address, token, other.certPem)).code, status.UNAVAILABLE);
    using kept = new VaultClient(byName(address), {}, ChannelCredentials.createSsl(Buffer.from(ca.certPem)));
    equal((await kept.manifest(token)).code, status.OK);

    const second = await ca.issue("localhost", SERVER_EXTENSIONS);
    await files.write({ ...second, keyPem: first.keyPem });
    await eventually(
      "the broken pair is logged",
      () => server.log.includes('"event":"tls_certificate_refused"'),
      10_000,
    );
    equal(await shownCertificate(address), digestOf(first.certPem), "the old pair stays in use");
    await files.write(second);
    await eventually(
      "the new pair is in use",
      async () => await shownCertificate(address) === digestOf(second.certPem),
      10_000,
    );
    equal((await callOverTls(address, token, ca.certPem)).code, status.OK);
    equal((await kept.manifest(token)).code, status.OK, "connections from before live on");
  },
});

Deno.test({
  name: "--tls files: Rune-Vault's variables name the pair; a pair that is none stops the start [apt install openssl]",
  ignore,
  fn: async () => {
    await using ca = await createTestCa("an operator's authority");
    await using folder = await temporaryFolder();
    await using data = await temporaryFolder();
    const files = pairFiles(folder.path);
    await files.write(await ca.issue("localhost", SERVER_EXTENSIONS));
    const old = { env: { VAULT_TLS_CERT: files.cert, VAULT_TLS_KEY: files.key }, without: ["--tls"] };
    await using server = await StartedServer.start({ dataDir: data.path, ...old });
    using admin = AdminHttp.of(server);
    equal((await callOverTls(server.addresses.grpc!, await admin.issue("alice"), ca.certPem)).code, status.OK);
    await server.stop();

    await Deno.chmod(files.key, 0o644);
    const loose = await StartedServer.refused({ dataDir: data.path, ...old });
    equal(loose.code, 78);
    ok(loose.log.includes(`chmod 600 ${files.key}`), loose.log);
    await Deno.chmod(files.key, 0o600);
    await Deno.writeTextFile(files.cert, (await ca.issue("localhost", SERVER_EXTENSIONS)).certPem);
    equal((await StartedServer.refused({ dataDir: data.path, ...old })).code, 78, "a key of another certificate");
    await Deno.remove(files.cert);
    const missing = await StartedServer.refused({ dataDir: data.path, ...old });
    equal(missing.code, 78);
    ok(missing.log.includes(files.cert), missing.log);
  },
});

Deno.test({
  name: "--tls-client-ca: only who shows a certificate of that authority gets through [apt install openssl]",
  ignore,
  fn: async () => {
    await using clients = await createTestCa("the clients' authority");
    await using strangers = await createTestCa("strangers");
    await using folder = await temporaryFolder();
    const path = `${folder.path}/clients.pem`;
    await Deno.writeTextFile(path, clients.certPem);
    await using server = await StartedServer.start({ args: [...TLS_AUTO, "--tls-client-ca", path] });
    match(server.log, /tls_client_ca.*the gRPC port alone/);
    using admin = AdminHttp.of(server);
    const token = await admin.issue("alice");
    const address = server.addresses.grpc!;
    const caPem = await Deno.readTextFile(`${server.dataDir}/tls/ca.pem`);
    const good = await clients.issue("agent-1", CLIENT_EXTENSIONS);
    const bad = await strangers.issue("agent-1", CLIENT_EXTENSIONS);
    equal((await callOverTls(address, token, caPem, good)).code, status.OK);
    equal((await callOverTls(address, "evt_x", caPem, good)).code, status.UNAUTHENTICATED, "a token is needed besides");
    equal((await callOverTls(address, token, caPem)).code, status.UNAVAILABLE);
    equal((await callOverTls(address, token, caPem, bad)).code, status.UNAVAILABLE);
  },
});

Deno.test("plaintext off loopback must be asked for, by a name that the refusal says", async () => {
  await using folder = await temporaryFolder();
  for (const address of ["0.0.0.0:0", "[::]:0"]) {
    const args = ["--grpc-addr", address, "--tls", "off"];
    const { code, log } = await StartedServer.refused({ dataDir: folder.path, args });
    equal(code, 78);
    match(log, /--allow-plaintext/);
  }
  const args = ["--grpc-addr", "0.0.0.0:0", "--tls", "off", "--allow-plaintext"];
  await using server = await StartedServer.start({ dataDir: folder.path, args });
  notEqual(server.addresses.grpc, "0.0.0.0:0");
  using vault = new VaultClient(server.addresses.grpc!.replace("0.0.0.0", "127.0.0.1"));
  using admin = AdminHttp.of(server);
  equal((await vault.manifest(await admin.issue("alice"))).code, status.OK);
});

Deno.test("settings of TLS that don't go together are refused", async () => {
  await using folder = await temporaryFolder();
  const wrong: [args: string[], text: string][] = [
    [["--tls", "files"], "--tls-cert"],
    [["--tls", "files", "--tls-cert", "a.pem"], "--tls-key"],
    [["--tls", "off", "--tls-client-ca", "ca.pem"], "--tls-client-ca"],
    [["--tls", "auto", "--tls-cert", "a.pem", "--tls-key", "b.pem"], "--tls files"],
    [["--tls", "auto", "--tls-hostname", "*.example.com"], "--tls-hostname"],
    [["--tls", "auto", "--tls-client-ca", "/nowhere/ca.pem"], "/nowhere/ca.pem"],
  ];
  for (const [args, text] of wrong) {
    const { code, log } = await StartedServer.refused({ dataDir: folder.path, args });
    equal(code, 78, log);
    ok(log.includes(text), log);
  }
});

Deno.test("the log warns of a certificate that ends soon, and the metrics say when", async () => {
  await using folder = await temporaryFolder();
  const { certPath, keyPath } = await writePair(folder.path, await madeServer(await madeCa(), LOOPBACK, 390));
  const args = ["--tls", "files", "--tls-cert", certPath, "--tls-key", keyPath];
  await using server = await StartedServer.start({ without: ["--tls"], args });
  match(server.log, /"event":"tls_certificate_ends_soon","certificate":"server","days":[5-7],/);
  const metrics = await (await fetch(`http://${server.addresses.metrics}/metrics`)).text();
  const [, seconds] = /^runevault_certificate_expiry_timestamp_seconds\{certificate="server"\} (\S+)$/m.exec(metrics)!;
  equal(Number(seconds), Date.parse(new X509Certificate(await Deno.readTextFile(certPath)).validTo) / 1000);
});
