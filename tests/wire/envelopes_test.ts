/**
 * Envelopes end to end: sealed by the vault, opened by members, re-sealed over versions of the team secret, and altered
 * by attackers.
 *
 * @module
 */

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv, randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { AdminHttp, cli, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { sharedServer } from "./_shared_server.ts";

interface Envelope {
  readonly v?: number;
  readonly a: string;
  readonly k?: number;
  readonly o?: number;
  readonly c: string;
}

const TEXTS = ["", '{"text":"hello"}', "한글 🎉", "x".repeat(4096), '"a\u0000b"'];
const shared = sharedServer();

/** A version-1 envelope as old clients write it: AES-256-CTR under the `agent_dek` of the bundle. */
function sealV1(agentId: string, dekBase64: string, plaintext: string): string {
  const iv = randomBytes(16);
  const cipher = createCipheriv("aes-256-ctr", Buffer.from(dekBase64, "base64"), iv);
  const c = Buffer.concat([iv, cipher.update(plaintext, "utf8"), cipher.final()]).toString("base64");
  return JSON.stringify({ a: agentId, c });
}

function parse(envelope: string): Envelope {
  return JSON.parse(envelope) as Envelope;
}

Deno.test("what SealMetadata makes, any member opens, in order", async () => {
  const { vault, admin } = shared();
  const alice = await admin.issue("alice");
  const bob = await admin.issue("bob");
  const envelopes = (await vault.seal(alice, TEXTS)).message!.envelopes;
  deepEqual((await vault.open(bob, envelopes)).message?.decryptedMetadata, TEXTS);
  const { agent_id } = await vault.bundle(alice);
  for (const envelope of envelopes.map(parse)) deepEqual([envelope.v, envelope.a, envelope.k], [2, agent_id, 1]);
});

Deno.test("what a client seals itself under agent_dek or deks, the vault opens", async () => {
  const { vault, admin } = shared();
  const token = await admin.issue("own-crypto");
  const { agent_id, agent_dek, deks } = await vault.bundle(token);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(deks!["1"]!, "base64"), nonce)
    .setAAD(Buffer.from(`runevault/v2\n${agent_id}\n1`));
  const body = Buffer.concat([nonce, cipher.update("two", "utf8"), cipher.final(), cipher.getAuthTag()]);
  const v2 = JSON.stringify({ v: 2, a: agent_id, k: 1, c: body.toString("base64") });
  const opened = await vault.open(token, [sealV1(agent_id, agent_dek!, "one"), v2]);
  deepEqual(opened.message?.decryptedMetadata, ["one", "two"]);
});

Deno.test("one bad envelope fails its batch and is named by its index", async () => {
  const { vault, admin } = shared();
  const token = await admin.issue("batch");
  const good = (await vault.seal(token, ["fine"])).message!.envelopes[0]!;
  const { a, c } = parse(good);
  const bad: Record<string, string> = {
    "not JSON": "{",
    "not an object": "[]",
    null: "null",
    "an agent id in upper case": JSON.stringify({ ...parse(good), a: a.toUpperCase() }),
    "another text as agent id": JSON.stringify({ ...parse(good), a: "dek\nbaf56f527f1d318cf8430edfe9f4aa" }),
    "no payload": JSON.stringify({ v: 2, a, k: 1 }),
    "wrong base64": JSON.stringify({ ...parse(good), c: `${c.slice(0, -1)}!` }),
    "URL-safe base64": JSON.stringify({ ...parse(good), c: "_-_-" + c.slice(4) }),
    "too short a payload": JSON.stringify({ ...parse(good), c: "AAAA" }),
    "an unknown version": JSON.stringify({ ...parse(good), v: 3 }),
    "a key version as text": JSON.stringify({ ...parse(good), k: "1" }),
    "an unknown key version": JSON.stringify({ ...parse(good), k: 77 }),
    "deep JSON": "[".repeat(100_000),
    "deep JSON inside": `{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
    "a doubled mark": JSON.stringify({ ...parse(good), o: 2 }),
    empty: "",
  };
  for (const [what, envelope] of Object.entries(bad)) {
    const { code, details } = await vault.open(token, [good, good, envelope, good]);
    equal(code, status.INVALID_ARGUMENT, what);
    match(details, /\b2\b/, what);
  }
});

Deno.test("no changed bit of a version-2 envelope goes unnoticed", async () => {
  const { vault, admin } = shared();
  await admin.createRole("attacker", ["decrypt_metadata"]);
  const token = await admin.issue("tamperer", "attacker");
  const other = await admin.issue("tampered");
  const good = parse((await vault.seal(other, ["transfer 10"])).message!.envelopes[0]!);
  const bytes = Buffer.from(good.c, "base64");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    const forged = JSON.stringify({ ...good, c: changed.toString("base64") });
    equal((await vault.open(token, [forged])).code, status.INVALID_ARGUMENT, `byte ${at}`);
  }
  const others = (await vault.bundle(await admin.issue("someone"))).agent_id;
  for (const forged of [{ ...good, a: others }, { ...good, o: 1 }, { ...good, k: 2 }]) {
    equal((await vault.open(token, [JSON.stringify(forged)])).code, status.INVALID_ARGUMENT);
  }
});

Deno.test("a version-2 envelope recast as version 1 gives nothing of its plaintext", async () => {
  const { vault, admin } = shared();
  const token = await admin.issue("recaster");
  const plaintext = "a text that is long enough to be recognised";
  const sealed = parse((await vault.seal(token, [plaintext])).message!.envelopes[0]!);
  const bytes = Buffer.from(sealed.c, "base64");
  // AES-GCM encrypts with AES-CTR from the counter block nonce ‖ 2: under one shared key this would open.
  const counter = Buffer.concat([bytes.subarray(0, 12), Buffer.of(0, 0, 0, 2)]);
  const c = Buffer.concat([counter, bytes.subarray(12, -16)]).toString("base64");
  const { message } = await vault.open(token, [JSON.stringify({ a: sealed.a, c })]);
  notEqual(message?.decryptedMetadata[0], plaintext);
});

Deno.test("a damaged version-1 envelope is noise, and refused where it is not UTF-8", async () => {
  const { vault, admin } = shared();
  const token = await admin.issue("v1-noise");
  const { agent_id } = await vault.bundle(token);
  const noise = sealV1(agent_id, randomBytes(32).toString("base64"), "x".repeat(200));
  equal((await vault.open(token, [noise])).code, status.INVALID_ARGUMENT);
});

Deno.test("decrypt_own_metadata opens what this user sealed with any token, and nobody else's", async () => {
  const { vault, admin } = shared();
  await admin.createRole("own", ["decrypt_own_metadata", "get_bundle"]);
  const carol = await admin.issue("carol", "own");
  const dave = await admin.issue("dave", "own");
  const carols = (await vault.seal(carol, ["carol's"])).message!.envelopes[0]!;
  const daves = (await vault.seal(dave, ["dave's"])).message!.envelopes[0]!;
  const fresh = await admin.rotate("carol");
  deepEqual((await vault.open(fresh, [carols])).message?.decryptedMetadata, ["carol's"]);
  const mixed = await vault.open(fresh, [carols, daves]);
  equal(mixed.code, status.PERMISSION_DENIED);
  match(mixed.details, /\b1\b/);
  const strangers = JSON.stringify({ a: "0".repeat(32), c: Buffer.alloc(20).toString("base64") });
  equal((await vault.open(fresh, [strangers])).code, status.PERMISSION_DENIED);
});

Deno.test("a revoked user's envelopes stay readable", async () => {
  const { vault, admin } = shared();
  const leaver = await admin.issue("leaver");
  const stayer = await admin.issue("stayer");
  const { agent_id, agent_dek } = await vault.bundle(leaver);
  const envelopes = [...(await vault.seal(leaver, ["two"])).message!.envelopes, sealV1(agent_id, agent_dek!, "one")];
  await admin.revoke("leaver");
  deepEqual((await vault.open(stayer, envelopes)).message?.decryptedMetadata, ["two", "one"]);
});

Deno.test("sealing and rewrapping hold over three versions of the team secret, and a restart", async () => {
  await using folder = await temporaryFolder();
  await using server = await StartedServer.start({ dataDir: folder.path });
  using vault = VaultClient.of(server);
  using admin = AdminHttp.of(server);
  const token = await admin.issue("alice", "admin");
  const before = await vault.bundle(token);
  const written = [sealV1(before.agent_id, before.agent_dek!, "v1 under 1")];
  for (let version = 1; version <= 3; version++) {
    if (version > 1) await admin.expect("POST", "/secrets/rotate");
    written.push(...(await vault.seal(token, [`v2 under ${version}`])).message!.envelopes);
  }
  deepEqual(written.map((one) => parse(one).k), [undefined, 1, 2, 3]);
  const plain = ["v1 under 1", "v2 under 1", "v2 under 2", "v2 under 3"];
  deepEqual((await vault.open(token, written)).message?.decryptedMetadata, plain);
  const bundle = await vault.bundle(token);
  deepEqual([bundle.key_version, Object.keys(bundle.deks!), bundle.agent_dek], [3, ["1", "2", "3"], before.agent_dek]);

  const { code, stdout } = await cli(server, ["rewrap"], written.map((one) => `${one}\n`).join(""));
  equal(code, 0);
  const rewrapped = stdout.trimEnd().split("\n");
  deepEqual(rewrapped.map((one) => [parse(one).k, parse(one).o]), [[3, 1], [3, undefined], [3, undefined], [
    3,
    undefined,
  ]]);
  deepEqual((await vault.open(token, rewrapped)).message?.decryptedMetadata, plain);

  equal((await admin.ask("POST", "/secrets/3/retire")).status, 400, "the version that seals can't be retired");
  for (const version of [1, 2]) await admin.expect("POST", `/secrets/${version}/retire`);
  await server.kill();
  await using again = await StartedServer.start({ dataDir: folder.path });
  using client = VaultClient.of(again);
  for (const old of written.slice(0, 3)) equal((await client.open(token, [old])).code, status.INVALID_ARGUMENT);
  deepEqual((await client.open(token, [...rewrapped, written[3]!])).message?.decryptedMetadata, [...plain, plain[3]]);
  const after = await client.bundle(token);
  deepEqual([Object.keys(after.deks!), after.agent_dek], [["3"], undefined], "no key of a retired version leaves");
});

Deno.test("--envelope-v1 refuse opens no version-1 envelope and gives out no key for them", async () => {
  await using folder = await temporaryFolder();
  await using server = await StartedServer.start({ dataDir: folder.path });
  using admin = AdminHttp.of(server);
  const token = await admin.issue("alice");
  using vault = VaultClient.of(server);
  const { agent_id, agent_dek } = await vault.bundle(token);
  const old = sealV1(agent_id, agent_dek!, "old");
  await server.kill();
  for (const [policy, code] of [["warn", status.OK], ["refuse", status.INVALID_ARGUMENT]] as const) {
    await using next = await StartedServer.start({ dataDir: folder.path, args: ["--envelope-v1", policy] });
    using client = VaultClient.of(next);
    equal((await client.open(token, [old])).code, code, policy);
    equal((await client.bundle(token)).agent_dek, policy === "refuse" ? undefined : agent_dek);
    await next.stop();
    equal(next.log.includes("envelope_v1_opened"), policy === "warn");
    ok(!next.log.includes(token));
  }
});
