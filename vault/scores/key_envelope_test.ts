import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { refused, vectorJson, vectorText } from "./_test_support.ts";
import { canonicalJson, NumberText } from "./canonical_json.ts";
import { assertKeyId, formatKeyEnvelope, KEY_FORMATS, type KeyFormat, parseKeyEnvelope } from "./key_envelope.ts";

const bad = (message: RegExp) => refused("invalid_argument", message);

/** The recorded file with one part of its text replaced; the replacement must have happened. */
function altered(name: string, from: string | RegExp, to: string): string {
  const text = vectorText(name);
  const changed = text.replace(from, to);
  ok(changed !== text, `${from} is in ${name}`);
  return changed;
}

Deno.test("canonicalJson() sorts keys at every level and keeps the text of numbers", () => {
  const value = {
    b: [{ z: 1, a: null }],
    a: new NumberText("36028797014376449"),
    "": { d: 'x"', c: new NumberText("24.0") },
  };
  equal(canonicalJson(value), `{"":{"c":24.0,"d":"x\\""},"a":36028797014376449,"b":[{"a":null,"z":1}]}`);
});

Deno.test("formatKeyEnvelope() writes the recorded key files to the byte", () => {
  for (const [format, name] of [["seckey", "SecKey.json"], ["enckey", "EncKey.json"]] as const) {
    const { keyId, raw, createdAt, expiresAt } = parseKeyEnvelope(format, vectorText(name));
    deepEqual([keyId, expiresAt - createdAt], ["vault-key", 43_800 * 3_600_000]);
    equal(formatKeyEnvelope(format, keyId, raw, createdAt) === vectorText(name), true, name);
    equal(formatKeyEnvelope(format, keyId, raw, createdAt + 999) === vectorText(name), true, "times are whole seconds");
  }
});

Deno.test("formatKeyEnvelope() gives an evaluation key the recorded fields", () => {
  const recorded = vectorJson<{ created_at: string; entries: Record<string, unknown>[] }>("EvalKey.without_data.json");
  const written = JSON.parse(
    formatKeyEnvelope("evalkey", "vault-key", new Uint8Array(9), Date.parse(recorded.created_at)),
  );
  for (const { entries } of [recorded, written]) {
    delete entries[0].key_data;
    delete entries[0].hash;
  }
  // The recorded file went through a JSON library that rounds P; parsing rounds both alike.
  deepEqual(written, recorded);
});

Deno.test("a written key file is one line and says P and the scales as the original does", () => {
  for (const format of Object.keys(KEY_FORMATS) as KeyFormat[]) {
    const text = formatKeyEnvelope(format, "a.b-c_d@e", new Uint8Array([1, 2, 3]), 0);
    equal(/\s/.test(text.replaceAll(KEY_FORMATS[format].role, "")), false);
    ok(text.includes(`"P":36028797014376449,"Q":2251799813554177,"QUERY_SCALE_FACTOR":24.0,"preset":"IP0"`));
    deepEqual([...parseKeyEnvelope(format, text).raw], [1, 2, 3]);
  }
});

Deno.test("parseKeyEnvelope() refuses damage, other kinds, other parameters and other forms", () => {
  const cases: [string | RegExp, string, RegExp][] = [
    [`"key_data":"AUlQMAAd`, `"key_data":"AUlQMAAe`, /damaged/],
    [`"hash":"rNAS`, `"hash":"rNAT`, /damaged/],
    [`"key_data":"AUlQ`, `"key_data":"AUl-`, /base64/],
    [`"format":"seckey"`, `"format":"enckey"`, /"seckey" at "format"/],
    [`"name":"seckey"`, `"name":"enckey"`, /entries\[0\]\.name/],
    [`"format_version":1`, `"format_version":2`, /format_version/],
    [`"preset":"IP0"`, `"preset":"IP1"`, /"IP0" at "entries\[0\]/],
    [`"Q":2251799813554177`, `"Q":2251799813554175`, /parameter|\.Q|Q"/],
    [`"eval_mode":""`, `"eval_mode":"RMP"`, /eval_mode/],
    [`"kid":"vault-key"`, `"kid":"../vault-key"`, /Key id/],
    [`"kid":"vault-key"`, `"kid":7`, /a string at "kid"/],
    [`"created_at":"2026-11-22T00:42:29Z"`, `"created_at":"yesterday"`, /a time/],
    [`"expires_at":"2031-11-21T00:42:29Z"`, `"expires_at":"2031-13-41T00:42:29Z"`, /a time/],
    [/"entries":\[(.*?)\],"expires/, `"entries":[],"expires`, /exactly one entry/],
    [/"entries":\[(.*?)\],"expires/, `"entries":[$1,$1],"expires`, /exactly one entry/],
    [/"entries":\[(.*?)\],"expires/, `"entries":[null],"expires`, /an object/],
    [/"metadata":\{.*?\}\}/, `"metadata":[]`, /an object at "entries\[0\]\.metadata"/],
    [/}$/, `} x`, /not JSON/],
  ];
  for (const [from, to, problem] of cases) {
    throws(() => parseKeyEnvelope("seckey", altered("SecKey.json", from, to)), bad(problem), `${from} ${to}`);
  }
  for (const text of ["", "null", "[]", "7", `"x"`, "{}"]) {
    throws(() => parseKeyEnvelope("seckey", text), bad(/SecKey/));
  }
  throws(() => parseKeyEnvelope("seckey", vectorText("EncKey.json")), bad(/longer than/));
  throws(() => parseKeyEnvelope("enckey", vectorText("SecKey.json")), bad(/EncKey\.json does not have "enckey"/));
});

Deno.test("parseKeyEnvelope() refuses a sealed key and says so", () => {
  const sealed = [
    altered("SecKey.json", /"key_data":"[^"]*"/, `"key_data":"{\\"c\\":1}"`),
    altered("SecKey.json", `"entries":[{`, `"entries":[{"alg":"AES-KEK","iv":"AA==",`),
  ];
  for (const text of sealed) throws(() => parseKeyEnvelope("seckey", text), bad(/sealed/));
});

Deno.test("a refused secret key file leaves no part of itself in the error", () => {
  const key = vectorText("SecKey.json").match(/"key_data":"([^"]*)"/)![1]!;
  const texts = [
    vectorText("SecKey.json").slice(0, -1),
    altered("SecKey.json", `"hash":"rNAS`, `"hash":"rNAT`),
    altered("SecKey.json", "preset", "presets"),
    key,
  ];
  for (const text of texts) {
    try {
      parseKeyEnvelope("seckey", text);
      ok(false, "must be refused");
    } catch (error) {
      const shown = Deno.inspect(error, { depth: 10 });
      for (let i = 0; i + 8 <= key.length; i += 8) equal(shown.includes(key.slice(i, i + 8)), false);
    }
  }
});

Deno.test("assertKeyId() allows what can be a folder's name", () => {
  for (const id of ["vault-key", "a", "9", "team@example.org_2", "a".repeat(64)]) assertKeyId(id);
  for (const id of ["", ".", "..", "-a", "a/b", "a\\b", "a b", "a\n", "é", "a\0", "a".repeat(65)]) {
    throws(() => assertKeyId(id), bad(/Key id/), JSON.stringify(id));
  }
});
