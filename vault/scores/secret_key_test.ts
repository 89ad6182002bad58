import { deepEqual, equal, throws } from "node:assert/strict";
import { inspect } from "node:util";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { refused, vectorJson, vectorKey } from "./_test_support.ts";
import { sampleSecret } from "./key_sampling.ts";
import { DEGREE, SECRET_WEIGHT } from "./params.ts";
import { RandomWords } from "./random_words.ts";
import { doubleRing } from "./ntt.ts";
import { decodeSecretKey, encodeSecretKey, FheSecretKey, SECRET_KEY_BYTES } from "./secret_key.ts";

interface SecretVector {
  sk_coeff_first16: number[];
  sk_ntt_q_first4: string[];
}

function someKey(): FheSecretKey {
  return new FheSecretKey("k", sampleSecret(new RandomWords(seededRandom("secret key"))));
}

Deno.test("the recorded secret key has the recorded coefficients and transform", () => {
  const vector = vectorJson<SecretVector>("ntt.json");
  const { coefficients } = vectorKey();
  deepEqual([...coefficients.slice(0, 16)], vector.sk_coeff_first16);
  equal(coefficients.reduce((sum, value) => sum + Math.abs(value), 0), SECRET_WEIGHT);
  const ring = doubleRing();
  const transformed = ring.fromIntegers(coefficients);
  ring.forward(transformed);
  deepEqual(Array.from(transformed.slice(0, 4), String), vector.sk_ntt_q_first4);
});

Deno.test("decodeSecretKey() reads what encodeSecretKey() writes", () => {
  const key = someKey();
  const raw = encodeSecretKey(key);
  equal(raw.length, SECRET_KEY_BYTES);
  deepEqual(decodeSecretKey("k", raw).coefficients(), key.coefficients());
});

Deno.test("decodeSecretKey() refuses another form, an unused code and a wrong weight", () => {
  const raw = encodeSecretKey(someKey());
  const damaged = (at: number, value: number) => raw.map((byte, i) => i === at ? value : byte);
  const refusal = refused("invalid_argument");
  throws(() => decodeSecretKey("k", raw.subarray(1)), refusal);
  throws(() => decodeSecretKey("k", new Uint8Array([...raw, 0])), refusal);
  throws(() => decodeSecretKey("k", damaged(0, 2)), refusal);
  throws(() => decodeSecretKey("k", damaged(3, "1".charCodeAt(0))), refusal);
  throws(() => decodeSecretKey("k", damaged(4, 1)), refusal);
  const coefficients = someKey().coefficients();
  const place = coefficients.indexOf(-1);
  const code10 = raw[5 + (place >> 2)]! & ~(1 << (6 - 2 * (place & 3)));
  throws(() => decodeSecretKey("k", damaged(5 + (place >> 2), code10)), refused("invalid_argument", /none of/));
  const lighter = raw[5 + (place >> 2)]! & ~(3 << (6 - 2 * (place & 3)));
  throws(() => decodeSecretKey("k", damaged(5 + (place >> 2), lighter)), refusal);
});

Deno.test("FheSecretKey takes only ternary coefficients of the right number and weight", () => {
  const coefficients = someKey().coefficients();
  const refusal = refused("invalid_argument");
  throws(() => new FheSecretKey("k", coefficients.slice(1)), refusal);
  throws(() => new FheSecretKey("k", coefficients.map((c, i) => i === coefficients.indexOf(1) ? 0 : c)), refusal);
  throws(() => new FheSecretKey("k", coefficients.map((c, i) => i === coefficients.indexOf(0) ? 2 : c)), refusal);
  throws(() => new FheSecretKey("k", new Int8Array(DEGREE)), refusal);
});

Deno.test("FheSecretKey shows nothing of itself, and gives out copies", () => {
  const key = someKey();
  const shown = [`${key}`, JSON.stringify({ key }), Deno.inspect({ key }), inspect({ key })];
  for (const text of shown) equal(/\d/.test(text), false, text);
  key.coefficients().fill(0);
  deepEqual(key.coefficients(), someKey().coefficients());
});
