/**
 * Metadata envelopes of both versions: parsing, and opening what parsed under the key of valid ones.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import fc from "fast-check";
import { type Envelope, openEnvelope, parseEnvelope, sealEnvelope } from "../../../vault/keys/envelope.ts";
import { seededRandom } from "../../fakes/seeded_random.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { assertShowsNoSecret, must, parseOrRefuse, PLANTED } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const KEY = Buffer.alloc(32, 7);
const AGENT = "0123456789abcdef0123456789abcdef";

/** Envelopes that open, with their plaintexts. */
const SEALED: ReadonlyMap<string, string> = new Map(sealedEnvelopes());

function* sealedEnvelopes(): Iterable<[string, string]> {
  const random = seededRandom("fuzzed envelopes");
  const plaintexts = ["", "{}", `{"token":"${PLANTED.userToken}"}`, "ü💥", PLANTED.teamSecret.repeat(4)];
  for (const plaintext of plaintexts) {
    for (const [keyVersion, fromV1] of [[1, false], [1, true], [7, false]] as const) {
      yield [sealEnvelope(plaintext, { agentId: AGENT, keyVersion, fromV1 }, KEY, random), plaintext];
    }
  }
}

/** Version 1 has no authentication: any bytes after the IV are an envelope. */
const versionOne = fc.uint8Array({ minLength: 14, maxLength: 80 })
  .map((bytes) => JSON.stringify({ a: AGENT, c: Buffer.from(bytes).toString("base64") }));

const valid = fc.oneof(fc.constantFrom(...SEALED.keys()), versionOne);

const json = fc.oneof(
  fc.constantFrom("1", "2", "3", "0", "-1", "1.0", "2.0", "1e0", "20e-1", "2.0000000000000001", "1e999", "-0", "1e21"),
  fc.constantFrom("null", "true", "[]", "{}", '""', '"1"', '"2"', "9007199254740993", "1".repeat(400), `"\\ud800"`),
  fc.constantFrom(`"${AGENT}"`, `"${AGENT.toUpperCase()}"`, `"${AGENT}\\n"`, `"\\u0030${AGENT.slice(1)}"`),
  fc.base64String({ maxLength: 80 }).map((text) => JSON.stringify(text)),
  fc.constantFrom("A===", "====", "AAAA====", "AA==AAAA", "AAA\u0141", "AA-_", "A A=", "QQ=").map((c) =>
    JSON.stringify(c)
  ),
  fc.json({ maxDepth: 3 }),
  anyText(20).map((text) => JSON.stringify(text)),
);

/** Members in any order, doubled ones, unknown ones. */
const structured = fc.array(
  fc.tuple(fc.constantFrom("v", "a", "c", "k", "o", "__proto__", "toJSON", ""), json),
  { maxLength: 8 },
).map((members) => `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`);

/** A sealed envelope with one member said again: JSON has the last count. */
const saidTwice = fc.tuple(
  fc.constantFrom(...SEALED.keys()),
  fc.constantFrom("v", "a", "k", "o", "c"),
  json,
  fc.boolean(),
)
  .map(([text, name, value, isLast]) => {
    return isLast
      ? text.replace(/\}$/, () => `,"${name}":${value}}`)
      : text.replace(/^\{/, () => `{"${name}":${value},`);
  });

/** Envelopes. */
export const target: FuzzTarget = syncTarget(
  "envelopes",
  "json",
  fc.oneof(
    { weight: 100, arbitrary: mutatedText(valid, [...AWKWARD_TEXT, '"v":1,', '"v":2,', '"o":1,', '"k":1,', '"a":"']) },
    { weight: 60, arbitrary: structured },
    { weight: 40, arbitrary: saidTwice },
    { weight: 20, arbitrary: anyText() },
    { weight: 1, arbitrary: bulkText(200_000, ["[", "{", '{"a":', '"', "\\", "\\u", '{"a":1,', "1", "AAAA", " "]) },
  ),
  check,
);

function check(text: string): void {
  const envelope = parseOrRefuse(["ciphertext_invalid"], () => parseEnvelope(text));
  if (envelope === undefined) return;
  assertForm(envelope, text);
  const plaintext = parseOrRefuse(["ciphertext_invalid"], () => openEnvelope(envelope, KEY).toString("utf8"));
  if (plaintext === undefined) return;
  must(plaintext.isWellFormed(), "a plaintext is no Unicode text");
  if (envelope.version === 2) assertWasSealed(envelope, plaintext);
}

function assertForm(envelope: Envelope, text: string): void {
  must(/^[0-9a-f]{32}$/.test(envelope.agentId), `agent id ${JSON.stringify(envelope.agentId)}`);
  must(envelope.payload.length >= (envelope.version === 1 ? 16 : 28), "the payload is too short to open");
  // What parsed has one member "c" that counts, the last; it must be standard base64 and nothing besides.
  const { c } = JSON.parse(text) as { c: string };
  must(/^[A-Za-z0-9+/]*={0,2}$/.test(c), `"c" is no base64: ${JSON.stringify(c)}`);
  must(envelope.payload.equals(Buffer.from(c, "base64")), "the payload is not what stands there");
  if (envelope.version === 1) return;
  must(Number.isInteger(envelope.keyVersion) && envelope.keyVersion >= 1, `key version ${envelope.keyVersion}`);
  assertShowsNoSecret("a parsed envelope", JSON.stringify({ ...envelope, payload: "" }));
}

/** Nobody can make or alter a version-2 envelope without its key. */
function assertWasSealed(envelope: Envelope & { version: 2 }, plaintext: string): void {
  for (const [text, sealed] of SEALED) {
    const original = parseEnvelope(text);
    if (original.version !== 2 || !original.payload.equals(envelope.payload)) continue;
    must(plaintext === sealed && original.agentId === envelope.agentId, "an altered envelope opened");
    must(original.keyVersion === envelope.keyVersion && original.fromV1 === envelope.fromV1, "another origin opened");
    return;
  }
  must(false, "an envelope opened that nobody sealed");
}
