/**
 * Scores end to end: a key set taken over or made, ciphertexts under it, the rows that come back.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { ExportedKeysBody, KeySetRow, UserRow } from "../../admin/wire.ts";
import { readSecretKeyFile } from "../../vault/scores/mod.ts";
import { AdminHttp, cli, VaultClient } from "../clients.ts";
import { bytesField, scoreBlob, scoreData, ScoreEncryptor, uniformScoreData } from "../fakes/score_ciphertexts.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { findTracesBelow } from "../secret_traces.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";

const VECTORS = new URL("../vectors/fhe/", import.meta.url);
const DIMENSION = 1024;
const vectorText = (name: string) => Deno.readTextFile(new URL(name, VECTORS));
const vectorBase64 = async (name: string) => (await Deno.readFile(new URL(name, VECTORS))).toBase64();

/** A vault that took over the shared key set, with a user who may ask for 50 rows. */
async function startWithImportedKeys(dataDir: string) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await StartedServer.start({ dataDir }));
  const admin = stack.use(AdminHttp.of(server));
  const vault = stack.use(VaultClient.of(server));
  const files = { sec_key: await vectorText("SecKey.json"), enc_key: await vectorText("EncKey.json") };
  await admin.expect<KeySetRow>("POST", "/keys/import", files);
  await admin.createRole("scorer", ["decrypt_scores", "get_bundle"], "1000000/1s", 50);
  const token = await admin.issue("alice", "scorer");
  const owned = stack.move();
  return { server, admin, vault, token, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function encryptorOf(secKeyJson: string, seed: string): ScoreEncryptor {
  const { secretKey } = readSecretKeyFile(secKeyJson);
  return new ScoreEncryptor(secretKey.coefficients(), DIMENSION, seededRandom(seed));
}

/** Scores from -1 to 1 that depend on the seed alone. */
function scoresOf(count: number, seed: string): Float64Array {
  const words = new Uint32Array(seededRandom(seed).bytes(count * 4).slice().buffer);
  return Float64Array.from(words, (word) => word / 2 ** 31 - 1);
}

interface Row {
  readonly shardIdx: number;
  readonly rowIdx: number;
  readonly score: number;
}

/** The best rows of some shards, as a full sort finds them. */
function bestRows(shards: ReadonlyMap<number, Float64Array>, topK: number): Row[] {
  const rows = [...shards].flatMap(([shardIdx, scores]) =>
    Array.from(scores, (score, rowIdx) => ({ shardIdx, rowIdx, score }))
  );
  return rows.sort((a, b) => b.score - a.score).slice(0, topK);
}

/** Float32 has 24 bits: scores up to 1 come back within half of 2^-24. */
function assertRows(got: readonly Row[] | undefined, expected: readonly Row[]): void {
  deepEqual(got?.map(({ shardIdx, rowIdx }) => [shardIdx, rowIdx]), expected.map((row) => [row.shardIdx, row.rowIdx]));
  for (const [i, { score }] of expected.entries()) ok(Math.abs(got![i]!.score - score) <= 2 ** -24, `row ${i}`);
}

Deno.test("DecryptScores gives the rows that the library gives", async () => {
  await using folder = await temporaryFolder();
  await using it = await startWithImportedKeys(folder.path);
  const expected = JSON.parse(await vectorText("topk10.json")).ip300;
  const blob = (await vectorText("ip300.b64")).trim();
  const { message, details } = await it.vault.scores(it.token, blob, 10);
  ok(message, details);
  equal(message.error, "");
  const rows = message.results.map(({ shardIdx, rowIdx, score }) => ({ shard_idx: shardIdx, row_idx: rowIdx, score }));
  deepEqual(rows, expected);
  for (const [name, shard] of [["wire_no_shard.pb", 0], ["wire_unpacked_shard5.pb", 5]] as const) {
    const other = await it.vault.scores(it.token, await vectorBase64(name), 10);
    deepEqual(other.message?.results.map((row) => [row.shardIdx, row.score]), rows.map((row) => [shard, row.score]));
  }
});

Deno.test("rows of all shards and blocks compete, up to top_k", async () => {
  await using folder = await temporaryFolder();
  await using it = await startWithImportedKeys(folder.path);
  const encryptor = encryptorOf(await vectorText("SecKey.json"), "rows");
  const shards = new Map([[7, scoresOf(5000, "seven")], [2, scoresOf(1, "two")], [9, scoresOf(4096, "nine")]]);
  const data = [...shards.values()].map((scores) => encryptor.encryptScores(scores));
  const blob = scoreBlob(data, [...shards.keys()]);
  for (const topK of [1, 10, 50]) {
    assertRows((await it.vault.scores(it.token, blob, topK)).message?.results, bestRows(shards, topK));
  }
  equal((await it.vault.scores(it.token, blob, 51)).code, status.INVALID_ARGUMENT, "more than the role allows");
  const few = await it.vault.scores(it.token, scoreBlob([encryptor.encryptScores([0.5, -0.5])]), 50);
  assertRows(few.message?.results, bestRows(new Map([[0, Float64Array.of(0.5, -0.5)]]), 50));
});

Deno.test("what is no score ciphertext is INVALID_ARGUMENT, says nothing of the key, and costs no memory", async () => {
  await using folder = await temporaryFolder();
  await using it = await startWithImportedKeys(folder.path);
  const random = seededRandom("bad");
  const encryptor = encryptorOf(await vectorText("SecKey.json"), "bad");
  const good = encryptor.encryptScores([0.5]);
  const changed = (at: number, value: number) => {
    const bytes = good.slice();
    bytes[at] = value;
    return scoreBlob([bytes]);
  };
  const blobs: Record<string, string> = {
    empty: "",
    "not base64": "!!!!",
    "URL-safe base64": "__-_",
    "base64 without its padding": scoreBlob([good]).replace(/=+$/, "").slice(0, -1),
    "random bytes": random.bytes(1000).toBase64(),
    "a message without entries": bytesField(1, new Uint8Array(3)).toBase64(),
    "an entry without data": scoreBlob([new Uint8Array()]),
    "cut short": await vectorBase64("bad_truncated.pb"),
    "a wrong kind byte": await vectorBase64("bad_tag.pb"),
    "an unknown level": changed(5, 9),
    "n of 2^40": scoreBlob([scoreData({ rows: 2n ** 40n }, [good.slice(33)])]),
    "n of 2^63": scoreBlob([scoreData({ rows: 2n ** 63n }, [])]),
    "another degree": scoreBlob([scoreData({ rows: 1, degree: 8192 }, [good.slice(33)])]),
    "a residue above its modulus": changed(33 + 7, 0xff),
    "a shard list of another length": scoreBlob([good, good], [1]),
    "another key's": scoreBlob([uniformScoreData(300, random)]),
    "a damaged residue": changed(33 + 3, good[33 + 3]! ^ 0xff),
  };
  for (const [what, blob] of Object.entries(blobs)) {
    const { code, details } = await it.vault.scores(it.token, blob, 10);
    equal(code, status.INVALID_ARGUMENT, `${what}: ${details}`);
    ok(details.length > 10 && !/secret|coefficient|\.ts|\//.test(details), details);
  }
  const status_ = await Deno.readTextFile(`/proc/${it.server.pid}/status`);
  ok(Number(/VmHWM:\s+(\d+) kB/.exec(status_)![1]) < 700_000, "peak of resident memory");
  equal((await it.admin.expect<UserRow>("GET", "/users/alice")).score_rows, 0, "nothing left, nothing is counted");
});

Deno.test("score rows are counted for each user, over kills", async () => {
  await using folder = await temporaryFolder();
  await using it = await startWithImportedKeys(folder.path);
  const { vault, admin, server, token } = it;
  const bob = await admin.issue("bob", "scorer");
  const encryptor = encryptorOf(await vectorText("SecKey.json"), "count");
  const blob = scoreBlob([encryptor.encryptScores(scoresOf(100, "hundred"))]);
  await Promise.all([50, 50, 7].map((topK) => vault.scores(token, blob, topK)));
  await vault.scores(bob, scoreBlob([encryptor.encryptScores([0.1, 0.2])]), 50);
  const counts = async (from: AdminHttp) => {
    const { users } = await from.expect<{ users: UserRow[] }>("GET", "/users");
    return users.map(({ name, score_rows }) => [name, score_rows]);
  };
  deepEqual(await counts(admin), [["alice", 107], ["bob", 2]]);
  await server.kill();
  await using again = await StartedServer.start({ dataDir: folder.path });
  using later = AdminHttp.of(again);
  deepEqual(await counts(later), [["alice", 107], ["bob", 2]]);
  using client = VaultClient.of(again);
  equal((await client.scores(token, blob, 5)).code, status.OK, "the imported key is there after the kill");
  await later.revoke("alice");
  await later.issue("alice", "scorer");
  equal((await later.expect<UserRow>("GET", "/users/alice")).score_rows, 112, "a new token is no new user");
});

Deno.test("while eight score requests are in flight, token checks go on", async () => {
  await using folder = await temporaryFolder();
  await using it = await startWithImportedKeys(folder.path);
  const { vault, token } = it;
  const encryptor = encryptorOf(await vectorText("SecKey.json"), "load");
  const blob = scoreBlob([encryptor.encryptScores(scoresOf(100_000, "load"))]);
  equal((await vault.scores(token, blob, 10)).code, status.OK);
  const aloneMs = await timed(() => vault.scores(token, blob, 10));
  const load = inFlight(it.server, 8, (own) => own.scores(token, blob, 10));
  const times: number[] = [];
  for (const until = performance.now() + 4000; performance.now() < until;) {
    times.push(await timed(() => vault.manifest(token)));
  }
  const answered = await load.stop();
  times.sort((a, b) => a - b);
  const [median, p99] = [0.5, 0.99].map((share) => times[Math.floor(times.length * share)]!);
  const line = `GetAgentManifest beside 8 score requests: median ${median!.toFixed(1)} ms, p99 ${p99!.toFixed(1)} ms`;
  const about = `${times.length} calls; ${answered} score requests, ${aloneMs.toFixed(0)} ms alone`;
  await Deno.stdout.write(new TextEncoder().encode(`${line} (${about})\n`));
  ok(answered >= 8, `${answered} score requests were answered`);
  // On the event loop each check would wait for most of the eight decryptions. The limits allow for a busy machine.
  ok(median! < aloneMs, `${line} (${about})`);
  ok(p99! < 2000, `${line} (${about})`);
});

async function timed(call: () => Promise<{ code: status }>): Promise<number> {
  const began = performance.now();
  equal((await call()).code, status.OK);
  return performance.now() - began;
}

/** Keeps `count` calls in flight, each on a connection of its own, until stopped; tells how many were answered. */
function inFlight(server: StartedServer, count: number, call: (own: VaultClient) => Promise<{ code: status }>) {
  let asking = true;
  let answered = 0;
  const callers = Array.from({ length: count }, async () => {
    using own = VaultClient.of(server);
    while (asking) {
      await timed(() => call(own));
      answered++;
    }
  });
  const stop = async () => {
    asking = false;
    await Promise.all(callers);
    return answered;
  };
  return { stop };
}

Deno.test("serve --fhe-dim makes a key set once, hands out its public half, and keeps the secret one sealed", async () => {
  await using folder = await temporaryFolder();
  const args = ["--fhe-dim", String(DIMENSION)];
  await using server = await StartedServer.start({ dataDir: folder.path, args });
  match(server.log, /FHE keys: 100 %/);
  using admin = AdminHttp.of(server);
  using vault = VaultClient.of(server);
  await admin.createRole("scorer", ["decrypt_scores", "get_bundle"], "1000/1s", 50);
  const token = await admin.issue("alice", "scorer");
  const keys = `${folder.path}/keys/vault-key`;
  const onDisk = {
    "EncKey.json": await Deno.readTextFile(`${keys}/EncKey.json`),
    "EvalKey.json": await Deno.readTextFile(`${keys}/EvalKey.json`),
  };
  const bundle = JSON.parse((await vault.publicKey(token)).message!.keyBundleJson);
  equal(bundle.key_id, "vault-key");
  for (const file of ["EncKey.json", "EvalKey.json"] as const) ok(bundle[file] === onDisk[file], file);
  equal(JSON.parse(bundle["EvalKey.json"]).kid, "vault-key");
  const manifest = await vault.bundle(token);
  ok(!("EvalKey.json" in manifest) && manifest["EncKey.json"] === onDisk["EncKey.json"]);

  const exported = await admin.expect<ExportedKeysBody>("POST", "/keys/vault-key/export", {});
  const secretText = JSON.parse(exported.sec_key).entries[0].key_data as string;
  deepEqual(await findTracesBelow(folder.path, { "the secret key": secretText.slice(100, 200) }), []);
  for await (const { name } of Deno.readDir(keys)) {
    equal((await Deno.stat(`${keys}/${name}`)).mode! & 0o777, 0o600, name);
  }
  const encryptor = encryptorOf(exported.sec_key, "made");
  const scores = scoresOf(300, "made");
  const blob = scoreBlob([encryptor.encryptScores(scores)]);
  assertRows((await vault.scores(token, blob, 10)).message?.results, bestRows(new Map([[0, scores]]), 10));
  const shown = await cli(server, ["keys", "show", "--json"]);
  equal(shown.code, 0, shown.stderr);
  ok(!shown.stdout.includes(secretText.slice(100, 200)) && shown.stdout.includes("vault-key"));
  await server.kill();

  await using again = await StartedServer.start({ dataDir: folder.path, args });
  ok(!again.log.includes("FHE keys:"), "no second key set is made");
  using client = VaultClient.of(again);
  assertRows((await client.scores(token, blob, 1)).message?.results, bestRows(new Map([[0, scores]]), 1));
  using later = AdminHttp.of(again);
  const rotated = await later.expect<KeySetRow>("POST", "/keys/rotate", {});
  equal(rotated.key_id, "vault-key-2");
  assertRows((await client.scores(token, blob, 1)).message?.results, bestRows(new Map([[0, scores]]), 1));
  equal((await client.bundle(token)).key_id, "vault-key-2", "clients are told of the new one");
});

Deno.test("key files that were changed on disk stop the start", async () => {
  await using folder = await temporaryFolder();
  const it = await startWithImportedKeys(folder.path);
  await it[Symbol.asyncDispose]();
  const [row] = await Array.fromAsync(Deno.readDir(`${folder.path}/keys`));
  for (
    const [file, change] of [["EncKey.json", (t: string) => t.replace(/"kid":"[^"]*"/, '"kid":"other"')], [
      "SecKey.json",
      () => "{}",
    ]] as const
  ) {
    const path = `${folder.path}/keys/${row!.name}/${file}`;
    const original = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, change(original));
    const { code, log } = await StartedServer.refused({ dataDir: folder.path });
    equal(code, 78, log);
    ok(log.includes(`${folder.path}/keys`), log);
    await Deno.remove(path);
    equal((await StartedServer.refused({ dataDir: folder.path })).code, 78, `${file} is missing`);
    await Deno.writeTextFile(path, original, { mode: 0o600 });
  }
  await using again = await StartedServer.start({ dataDir: folder.path });
  using vault = VaultClient.of(again);
  equal((await vault.scores(it.token, (await vectorText("ip300.b64")).trim(), 1)).code, status.OK);
});
