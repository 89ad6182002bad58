import { equal, match, notEqual, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect as connectTls } from "node:tls";
import { create } from "@bufbuild/protobuf";
import { ChannelCredentials, Client, status } from "@grpc/grpc-js";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import {
  CLIENT_EXTENSIONS,
  createTestCa,
  hasOpenssl,
  openssl,
  SERVER_EXTENSIONS,
  type TestPair,
} from "./_test_certificates.ts";
import { call, callOn, startAnswering, vault } from "./_test_support.ts";
import { tlsCredentials, type TlsMaterial } from "./credentials.ts";

const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });
const all = Deno.env.get("RUNEVAULT_TEST_ALL") === "1";
const ignore = !all && !(await hasOpenssl());

function test(name: string, run: () => Promise<void>) {
  Deno.test({ name: `${name} [apt install openssl]`, ignore, fn: run });
}

/** Material that a test replaces by hand. */
function settable(pair: TestPair) {
  const listeners = new Set<(pair: TestPair) => void>();
  let current = pair;
  const material: TlsMaterial = {
    current: () => current,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const replace = (next: TestPair) => {
    current = next;
    listeners.forEach((listener) => listener(next));
  };
  return { material, replace, listeners };
}

function clientCredentials(caPem: string, own?: TestPair): ChannelCredentials {
  if (own === undefined) return ChannelCredentials.createSsl(Buffer.from(caPem));
  return ChannelCredentials.createSsl(Buffer.from(caPem), Buffer.from(own.keyPem), Buffer.from(own.certPem));
}

/** grpc-js asks for the server's name as it was given, and Deno's TLS takes no IP address there. */
const channel = { "grpc.ssl_target_name_override": "localhost" };

const callOver = (address: string, credentials: ChannelCredentials) =>
  call(address, vault.getAgentManifest, request, { credentials, deadlineMs: 20_000, channel });

/** The serial number of the certificate that a new connection is shown. */
function shownSerial(address: string, caPem: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const port = Number(address.split(":").at(-1));
  const socket = connectTls({ host: "127.0.0.1", port, ca: caPem, ALPNProtocols: ["h2"] }, () => {
    resolve(socket.getPeerCertificate().serialNumber);
    socket.destroy();
  });
  socket.on("error", reject);
  return promise;
}

test("tlsCredentials() serves clients that trust the authority, and no others", async () => {
  await using ca = await createTestCa("ours");
  await using other = await createTestCa("other");
  const { material } = settable(await ca.issue("server", SERVER_EXTENSIONS));
  await using running = await startAnswering(() => "fine", { credentials: tlsCredentials(material) });
  const { address } = running.server;
  equal((await callOver(address, clientCredentials(ca.certPem))).message?.manifestJson, "fine");
  equal((await callOver(address, clientCredentials(other.certPem))).code, status.UNAVAILABLE);
  notEqual((await callOver(address, ChannelCredentials.createInsecure())).code, status.OK);
});

test("tlsCredentials() speaks TLS 1.2 and 1.3, and nothing older", async () => {
  await using ca = await createTestCa("ours");
  const { material } = settable(await ca.issue("server", SERVER_EXTENSIONS));
  await using running = await startAnswering(() => "fine", { credentials: tlsCredentials(material) });
  const handshake = (...version: string[]) =>
    openssl(["s_client", "-connect", running.server.address, "-alpn", "h2", ...version]).catch(String);
  match(await handshake("-tls1_3"), /New, TLSv1\.3/);
  match(await handshake("-tls1_2"), /New, TLSv1\.2/);
  const old = await handshake("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0");
  ok(!/New, TLSv1/.test(old), old);
  match(old, /alert|no protocols|unexpected eof/i);
});

test("tlsCredentials() asks no client for a certificate unless told to", async () => {
  await using ca = await createTestCa("ours");
  const { material } = settable(await ca.issue("server", SERVER_EXTENSIONS));
  await using running = await startAnswering(() => "fine", { credentials: tlsCredentials(material) });
  const shown = await openssl(["s_client", "-connect", running.server.address, "-alpn", "h2"]).catch(String);
  match(shown, /No client certificate CA names sent/);
  const bytes = Number(/SSL handshake has read (\d+) bytes/.exec(shown)?.[1]);
  ok(bytes > 0 && bytes < 4096, `${bytes} bytes`);
});

test("tlsCredentials() with a client authority lets in its certificates alone", async () => {
  await using ca = await createTestCa("ours");
  await using clients = await createTestCa("clients");
  await using strangers = await createTestCa("strangers");
  const { material } = settable(await ca.issue("server", SERVER_EXTENSIONS));
  const credentials = tlsCredentials(material, { clientCaPem: clients.certPem });
  let handled = 0;
  await using running = await startAnswering(() => `${++handled}`, { credentials });
  const { address } = running.server;
  const alice = await clients.issue("alice", CLIENT_EXTENSIONS);
  equal((await callOver(address, clientCredentials(ca.certPem, alice))).message?.manifestJson, "1");
  const mallory = await strangers.issue("alice", CLIENT_EXTENSIONS);
  const notClients = await ca.issue("alice", CLIENT_EXTENSIONS);
  const refused = [
    clientCredentials(ca.certPem),
    clientCredentials(ca.certPem, mallory),
    clientCredentials(ca.certPem, notClients),
  ];
  for (const each of refused) notEqual((await callOver(address, each)).code, status.OK);
  equal(handled, 1);
});

test("tlsCredentials() shows a replaced certificate to new connections alone", async () => {
  await using ca = await createTestCa("ours");
  await using other = await createTestCa("other");
  const { material, replace } = settable(await ca.issue("server", SERVER_EXTENSIONS));
  await using running = await startAnswering(() => "fine", { credentials: tlsCredentials(material) });
  const { address } = running.server;
  const before = await shownSerial(address, ca.certPem);
  const early = new Client(address, clientCredentials(ca.certPem), { ...channel, "grpc.use_local_subchannel_pool": 1 });
  equal((await callOn(early, vault.getAgentManifest, request)).code, status.OK);
  replace(await ca.issue("server", SERVER_EXTENSIONS));
  notEqual(await shownSerial(address, ca.certPem), before);
  replace(await other.issue("server", SERVER_EXTENSIONS));
  equal((await callOver(address, clientCredentials(ca.certPem))).code, status.UNAVAILABLE);
  equal((await callOver(address, clientCredentials(other.certPem))).code, status.OK);
  // `early` does not trust the new authority: it is still on its old connection.
  equal((await callOn(early, vault.getAgentManifest, request)).code, status.OK);
  early.close();
});

test("tlsCredentials() goes on asking for client certificates after a replacement", async () => {
  await using ca = await createTestCa("ours");
  await using clients = await createTestCa("clients");
  const { material, replace } = settable(await ca.issue("server", SERVER_EXTENSIONS));
  const credentials = tlsCredentials(material, { clientCaPem: clients.certPem });
  await using running = await startAnswering(() => "fine", { credentials });
  const { address } = running.server;
  replace(await ca.issue("server", SERVER_EXTENSIONS));
  const alice = await clients.issue("alice", CLIENT_EXTENSIONS);
  equal((await callOver(address, clientCredentials(ca.certPem, alice))).code, status.OK);
  notEqual((await callOver(address, clientCredentials(ca.certPem))).code, status.OK);
});

test("tlsCredentials() stops listening to its material once the server is stopped", async () => {
  await using ca = await createTestCa("ours");
  const { material, listeners } = settable(await ca.issue("server", SERVER_EXTENSIONS));
  const running = await startAnswering(() => "fine", { credentials: tlsCredentials(material) });
  equal(listeners.size, 1);
  await running.server.stop();
  equal(listeners.size, 0);
});
