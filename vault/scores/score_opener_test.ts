import { deepEqual, equal, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { scoreBlob, scoreData, ScoreEncryptor, uniformScoreData } from "../../tests/fakes/score_ciphertexts.ts";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { refused, vectorBytes, vectorJson, vectorKey, vectorText } from "./_test_support.ts";
import { encodeBase64 } from "./base64.ts";
import { sampleSecret } from "./key_sampling.ts";
import { doubleRing } from "./ntt.ts";
import { bigIntRing } from "./ntt_bigint.ts";
import { DEGREE, P, POLY_BYTES, PSI_Q, Q } from "./params.ts";
import { RandomWords } from "./random_words.ts";
import { coefficientOfRow } from "./rows.ts";
import { decodeScoreMessage } from "./score_message.ts";
import { decryptPolynomial, type OpeningKey, ScoreOpener, secretFactor } from "./score_opener.ts";

interface ExpectedScores {
  scores_lib: number[][];
  true: number[][];
}

const DIMENSIONS = [384, 768, 1024, 4096];
const bad = (message: RegExp) => refused("invalid_argument", message);
const opener = new ScoreOpener([vectorKey()]);

function keyFor(dimension: number, seed = "key"): OpeningKey {
  return { coefficients: sampleSecret(new RandomWords(seededRandom(`${seed} ${dimension}`))), dimension };
}

function encryptorFor(key: OpeningKey, seed = "ciphertext"): ScoreEncryptor {
  return new ScoreEncryptor(Int8Array.from(key.coefficients), key.dimension, seededRandom(seed));
}

function openFile(name: string, topK: number) {
  return opener.open(encodeBase64(vectorBytes(name)), topK);
}

/** Scores that float32 holds, in [-1, 1]. */
function someScores(count: number, seed: string): Float64Array {
  const words = new RandomWords(seededRandom(seed));
  return Float64Array.from({ length: count }, () => Math.fround(words.word() / 2 ** 31 - 1));
}

Deno.test("ScoreOpener.open() gives the library's float32 scores, bit for bit", () => {
  for (const [name, count, tolerance] of [["ip300", 300, 1e-4], ["direct130", 130, 5e-13]] as const) {
    const expected = vectorJson<ExpectedScores>(`${name}.expected.json`);
    const rows = openFile(`${name}.pb`, 5000);
    equal(rows.length, count);
    for (const { shardIndex, rowIndex, score } of rows) {
      equal(shardIndex, 0);
      equal(score, Math.fround(expected.scores_lib[0]![rowIndex]!), `row ${rowIndex} of ${name}`);
      const truth = (Object.entries(expected).find(([key]) => key.includes("true"))![1] as number[][])[0]![rowIndex]!;
      ok(Math.abs(score - truth) <= tolerance + Math.abs(truth) * 2 ** -24, `row ${rowIndex} of ${name}`);
    }
  }
});

Deno.test("ScoreOpener.open() gives the recorded ten best, from message and text alike", () => {
  const { ip300 } = vectorJson<{ ip300: { shard_idx: number; row_idx: number; score: number }[] }>("topk10.json");
  const expected = ip300.map(({ shard_idx, row_idx, score }) => ({ shardIndex: shard_idx, rowIndex: row_idx, score }));
  deepEqual(opener.open(vectorText("ip300.b64"), 10), expected);
  deepEqual(openFile("wire_no_shard.pb", 10), expected);
  deepEqual(openFile("wire_unpacked_shard5.pb", 10), expected.map((row) => ({ ...row, shardIndex: 5 })));
});

Deno.test("the recorded ciphertext has the recorded intermediate values, on both rings", () => {
  const vector = vectorJson<{ b_plus_as_ntt_first4: string[]; rows: { coef_index: number; coef_mod_q: string }[] }>(
    "ip300.intermediate.json",
  );
  const { data } = decodeScoreMessage(vectorBytes("ip300.pb"))[0]!;
  const { coefficients } = vectorKey();
  const fast = doubleRing(), oracle = bigIntRing(Q, PSI_Q);
  const plain = decryptPolynomial(fast, secretFactor(fast, coefficients), data, 33, 33 + POLY_BYTES)!;
  const sameByOracle = decryptPolynomial(oracle, secretFactor(oracle, coefficients), data, 33, 33 + POLY_BYTES)!;
  deepEqual(BigUint64Array.from(plain, BigInt), sameByOracle);
  for (const { coef_index, coef_mod_q } of vector.rows) equal(String(plain[coef_index]), coef_mod_q);
  fast.forward(plain);
  deepEqual(Array.from(plain.subarray(0, 4), String), vector.b_plus_as_ntt_first4);
});

for (const level of [0, 1] as const) {
  Deno.test(`random scores come back within 1e-9 at level ${level}, for every dimension and count`, () => {
    const cases = fc.record({
      dimension: fc.constantFrom(...DIMENSIONS),
      count: fc.constantFrom(1, 4095, 4096, 4097, 10_000),
      seed: fc.string({ minLength: 4, maxLength: 4 }),
    });
    const check = ({ dimension, count, seed }: { dimension: number; count: number; seed: string }) => {
      const key = keyFor(dimension);
      const scores = someScores(count, seed);
      const rows = new ScoreOpener([key]).open(
        scoreBlob([encryptorFor(key, seed).encryptScores(scores, level)]),
        count,
      );
      equal(rows.length, count);
      for (const { rowIndex, score } of rows) ok(Math.abs(score - scores[rowIndex]!) < 1e-9, `row ${rowIndex}`);
    };
    const every = DIMENSIONS.flatMap((dimension) =>
      [1, 4095, 4096, 4097, 10_000].map((count) => ({ dimension, count, seed: "all" }))
    );
    every.filter(({ count }) => level === 0 || count < 5000).forEach(check);
    fc.assert(fc.property(cases, check), { numRuns: level === 0 ? 10 : 2 });
  });
}

Deno.test("rows of several shards compete; ties go by entry, then row", () => {
  const key = keyFor(1024);
  const encryptor = encryptorFor(key);
  // Encryption noise is far below a float32 unit of these values, so equal scores stay equal.
  const data = [[0.5, 0.25, 0.5], [0.75, 0.5], [], [0.5]].map((scores) => encryptor.encryptScores(scores));
  const rows = new ScoreOpener([key]).open(scoreBlob(data, [9, 3, 8, 1]), 4);
  deepEqual(rows.map(({ shardIndex, rowIndex, score }) => [shardIndex, rowIndex, score]), [
    [3, 0, 0.75],
    [9, 0, 0.5],
    [9, 2, 0.5],
    [3, 1, 0.5],
  ]);
});

Deno.test("an entry without rows is a header alone and adds none", () => {
  const blob = scoreBlob([scoreData({ rows: 0 }, []), scoreData({ rows: 0, level: 1 }, [])]);
  deepEqual(opener.open(blob, 10), []);
});

Deno.test("total count and dimension of the header decide nothing", () => {
  const { data } = decodeScoreMessage(vectorBytes("ip300.pb"))[0]!;
  const changed = data.slice();
  const view = new DataView(changed.buffer);
  view.setUint32(1, 0xffffffff, true);
  view.setBigUint64(17, 2n ** 64n - 1n, true);
  deepEqual(opener.open(scoreBlob([changed]), 5), openFile("ip300.pb", 5));
});

Deno.test("a ciphertext under another key is refused, at either level and for any number of rows", () => {
  for (const count of [1, 300, 4096, 4097]) {
    for (const level of [0, 1] as const) {
      const blob = scoreBlob([encryptorFor(keyFor(1024, "other")).encryptScores(someScores(count, "s"), level)]);
      throws(() => opener.open(blob, 10), bad(/does not decrypt/));
    }
  }
  throws(() => opener.open(scoreBlob([uniformScoreData(7, seededRandom("u"))]), 1), bad(/does not decrypt/));
});

Deno.test("a ciphertext of which any one bit was changed is refused", () => {
  const { data } = decodeScoreMessage(vectorBytes("ip300.pb"))[0]!;
  const place = fc.integer({ min: 0, max: 2 * DEGREE - 1 });
  fc.assert(
    fc.property(place, fc.integer({ min: 0, max: 63 }), (residue, bit) => {
      const changed = data.slice();
      changed[33 + 8 * residue + (bit >> 3)]! ^= 1 << (bit & 7);
      throws(() => opener.open(scoreBlob([changed]), 10), bad(/does not decrypt|residue/));
    }),
    { numRuns: 150 },
  );
});

Deno.test("damage in a later block is refused, although the first block is sound", () => {
  const key = keyFor(1024);
  const data = encryptorFor(key).encryptScores(someScores(5000, "two blocks"));
  const at = (poly: number) => 33 + poly * POLY_BYTES;
  data[at(3)]! ^= 1;
  throws(() => new ScoreOpener([key]).open(scoreBlob([data]), 10), bad(/does not decrypt/));
});

Deno.test("a residue at or above its modulus is refused, in every polynomial", () => {
  const key = keyFor(384);
  const data = encryptorFor(key).encryptScores([0.5], 1);
  [Q, Q, P, P].forEach((modulus, part) => {
    for (const residue of [modulus, 2n ** 64n - 1n]) {
      const changed = data.slice();
      new DataView(changed.buffer).setBigUint64(33 + (part + 1) * POLY_BYTES - 8, residue, true);
      throws(() => new ScoreOpener([key]).open(scoreBlob([changed]), 1), bad(/residue/), `part ${part}`);
    }
  });
});

Deno.test("malformed ciphertexts are refused before any decryption", () => {
  const { data } = decodeScoreMessage(vectorBytes("ip300.pb"))[0]!;
  const huge = data.slice();
  new DataView(huge.buffer).setBigUint64(9, 2n ** 40n, true);
  const cases: [string, RegExp][] = [
    ["", /empty/],
    ["not base64", /base64/],
    [encodeBase64(vectorBytes("bad_truncated.pb")), /truncated/],
    [encodeBase64(vectorBytes("bad_tag.pb")), /kind 1/],
    [scoreBlob([data.subarray(0, -1)]), /bytes of data/],
    [scoreBlob([huge]), /1099511627776 rows/],
    [scoreBlob([data], [1, 2]), /shard indexes/],
    [scoreBlob([data, scoreData({ rows: 1, level: 7 }, [])]), /Entry 1 .*level 7/],
  ];
  const before = Deno.memoryUsage().rss;
  for (const [blob, problem] of cases) throws(() => opener.open(blob, 10), bad(problem), `${problem}`);
  ok(Deno.memoryUsage().rss - before < 64 * 1024 * 1024, "nothing was allocated for what the header claims");
});

Deno.test("of several keys the one that opens the first block is used, and none is named when none does", () => {
  const [newer, older] = [keyFor(1024, "newer"), keyFor(4096, "older")];
  const both = new ScoreOpener([newer!, older!]);
  const scores = someScores(200, "two keys");
  for (const key of [newer!, older!]) {
    const rows = both.open(scoreBlob([encryptorFor(key).encryptScores(scores)]), 200);
    ok(rows.every(({ rowIndex, score }) => score === scores[rowIndex]));
  }
  const mixed = scoreBlob([newer!, older!].map((key) => encryptorFor(key).encryptScores(scores)));
  throws(() => both.open(mixed, 10), bad(/Entry 1 .*does not decrypt/));
});

Deno.test("a stopped job ends before its next block", () => {
  let asked = 0;
  const blob = scoreBlob([encryptorFor(vectorKey()).encryptScores(someScores(10_000, "stopped"))]);
  throws(() => opener.open(blob, 10, () => ++asked === 2), refused("cancelled"));
  equal(asked, 2);
});

Deno.test("every row of a full block comes from its own coefficient", () => {
  for (const dimension of [1024, 4096]) {
    const key = keyFor(dimension);
    const places = coefficientOfRow(dimension === 4096 ? 64 : 32);
    const plain = Float64Array.from({ length: DEGREE }, (_, coefficient) => coefficient * 2 ** 36);
    const rows = new ScoreOpener([key]).open(scoreBlob([encryptorFor(key).encryptBlocks([plain], DEGREE)]), DEGREE);
    for (const { rowIndex, score } of rows) equal(Math.round(score * 2 ** 12), places[rowIndex]);
  }
});
