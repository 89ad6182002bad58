import { deepEqual, equal, throws } from "node:assert/strict";
import { joinBytes } from "../../tests/fakes/score_ciphertexts.ts";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { refused, vectorText } from "./_test_support.ts";
import { decodeEvaluationKey, ENCRYPTION_KEY_BYTES, rankKeysBytes } from "./evaluation_key.ts";
import { formatKeyEnvelope, parseKeyEnvelope } from "./key_envelope.ts";
import { inspectKeySet, readEncryptionKeyFile, readEvaluationKeyFile, readSecretKeyFile } from "./key_files.ts";
import { generateKeySet } from "./key_generation.ts";
import { P, POLY_BYTES, Q } from "./params.ts";

const bad = (message: RegExp) => refused("invalid_argument", message);
const recorded = { secKeyJson: vectorText("SecKey.json"), encKeyJson: vectorText("EncKey.json") };
const made = generateKeySet({ dimension: 768, keyId: "vault-key", now: 0 }, seededRandom("key files"));

/** A record of an evaluation key. */
function record(name: string, content: Uint8Array): Uint8Array {
  const length = (value: number) => new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
  const encoded = new TextEncoder().encode(name);
  return joinBytes(new TextEncoder().encode("F"), length(encoded.length), encoded, length(content.length), content);
}

function metadata(overrides: Record<string, unknown> = {}): Uint8Array {
  const value = { EvalMode: "RMP", ParameterPreset: "IP0", Ranks: [1024], ...overrides };
  return record("metadata-eval.json", new TextEncoder().encode(JSON.stringify(value)));
}

Deno.test("readSecretKeyFile() and readEncryptionKeyFile() read the recorded key set, and it belongs together", () => {
  equal(readSecretKeyFile(recorded.secKeyJson).keyId, "vault-key");
  equal(readEncryptionKeyFile(recorded.encKeyJson).raw.length, ENCRYPTION_KEY_BYTES);
  const facts = inspectKeySet(recorded);
  deepEqual([facts.keyId, facts.dimension, facts.evaluationKeySha256], ["vault-key", null, null]);
  equal(facts.secretKeySha256, "rNASYu+OzQHxUBPrY+b7hnH5X+QpkSNwLU5l4e57Qv4=");
  equal(new Date(facts.createdAt).toISOString(), "2026-11-22T00:42:29.000Z");
  equal(new Date(facts.expiresAt).toISOString(), "2031-11-21T00:42:29.000Z");
});

Deno.test("an evaluation key has the recorded size, whatever order its records are in", () => {
  const { raw } = parseKeyEnvelope("evalkey", made.evalKeyJson);
  equal(raw.length, 4_325_533);
  const rankKeys = readEvaluationKeyFile(made.evalKeyJson).rankKeys;
  equal(rankKeys.length, 4_325_377);
  const turned = joinBytes(metadata({ Ranks: [512] }), record("EVIKeys32.bin", rankKeys));
  equal(decodeEvaluationKey(turned).dimension, 512);
});

Deno.test("inspectKeySet() refuses files of different sets", () => {
  throws(() => inspectKeySet({ ...recorded, encKeyJson: made.encKeyJson }), bad(/EncKey\.json and SecKey\.json/));
  throws(() => inspectKeySet({ ...recorded, evalKeyJson: made.evalKeyJson }), bad(/EvalKey\.json and SecKey\.json/));
  const { raw } = parseKeyEnvelope("enckey", made.encKeyJson);
  const renamed = formatKeyEnvelope("enckey", "other", raw, 0);
  throws(() => inspectKeySet({ ...made, encKeyJson: renamed }), bad(/EncKey\.json and SecKey\.json/));
  equal(inspectKeySet(made).dimension, 1024);
});

Deno.test("readSecretKeyFile() refuses raw bytes that are no secret key", () => {
  for (const raw of [new Uint8Array(), new Uint8Array(1029), new Uint8Array(ENCRYPTION_KEY_BYTES)]) {
    throws(() => readSecretKeyFile(formatKeyEnvelope("seckey", "k", raw, 0)), bad(/secret key|longer/));
  }
});

Deno.test("readEncryptionKeyFile() refuses another size, header, or a residue out of range", () => {
  const { raw } = parseKeyEnvelope("enckey", made.encKeyJson);
  const written = (bytes: Uint8Array) => formatKeyEnvelope("enckey", "k", bytes, 0);
  throws(() => readEncryptionKeyFile(written(raw.subarray(0, -8))), bad(/bytes/));
  throws(() => readEncryptionKeyFile(written(raw.map((byte, i) => i === 0 ? 3 : byte))), bad(/bytes/));
  [Q, P, Q, P].forEach((modulus, part) => {
    const changed = raw.slice();
    const at = 5 + (part + 1) * POLY_BYTES - 8;
    const view = new DataView(changed.buffer);
    view.setBigUint64(at, modulus, true);
    throws(() => readEncryptionKeyFile(written(changed)), bad(/residue/), `part ${part}`);
    view.setBigUint64(at, modulus - 1n, true);
    readEncryptionKeyFile(written(changed));
  });
});

Deno.test("decodeEvaluationKey() refuses damaged records, other modes and sizes", () => {
  const keys = new Uint8Array(rankKeysBytes(32));
  keys[0] = 3;
  const rank32 = record("EVIKeys32.bin", keys);
  equal(decodeEvaluationKey(joinBytes(rank32, metadata())).rank, 32);
  const overSized = metadata();
  new DataView(overSized.buffer).setBigUint64(1, 2n ** 63n, true);
  const negative = metadata();
  new DataView(negative.buffer).setBigInt64(27, -1n, true);
  const unreduced = keys.slice();
  new DataView(unreduced.buffer).setBigUint64(unreduced.length - 8, P, true);
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(), /no metadata-eval\.json/],
    [rank32, /no metadata-eval\.json/],
    [metadata(), /no EVIKeys32\.bin/],
    [joinBytes(rank32, metadata({ Ranks: [4096] })), /no EVIKeys64\.bin/],
    [joinBytes(rank32, metadata({ Ranks: [1000] })), /dimension/],
    [joinBytes(rank32, metadata({ Ranks: [16] })), /dimension/],
    [joinBytes(rank32, metadata({ Ranks: [8192] })), /dimension/],
    [joinBytes(rank32, metadata({ Ranks: [] })), /dimension/],
    [joinBytes(rank32, metadata({ Ranks: [1024, 2048] })), /dimension/],
    [joinBytes(rank32, metadata({ Ranks: "1024" })), /dimension/],
    [joinBytes(rank32, metadata({ EvalMode: "MM" })), /mode RMP/],
    [joinBytes(rank32, metadata({ ParameterPreset: "IP1" })), /preset IP0/],
    [joinBytes(rank32, record("metadata-eval.json", new Uint8Array([0x7b]))), /not JSON/],
    [joinBytes(rank32, metadata(), metadata()), /too many/],
    [joinBytes(rank32, metadata(), record("x", keys)), /too many/],
    [joinBytes(rank32, metadata()).subarray(0, -1), /truncated/],
    [joinBytes(rank32, metadata(), new Uint8Array(1)), /truncated/],
    [joinBytes(rank32, metadata(), new Uint8Array(20)), /else than file records/],
    [joinBytes(rank32, overSized), /truncated/],
    [joinBytes(rank32, negative), /negative/],
    [joinBytes(record("EVIKeys32.bin", keys.subarray(1)), metadata()), /not 4325377 bytes/],
    [joinBytes(record("EVIKeys32.bin", new Uint8Array(keys.length)), metadata()), /not 4325377 bytes/],
    [joinBytes(record("EVIKeys32.bin", unreduced), metadata()), /residue/],
  ];
  for (const [raw, problem] of cases) throws(() => decodeEvaluationKey(raw), bad(problem), `${problem}`);
});
