/**
 * `SecKey.json`, `EncKey.json` and `EvalKey.json`. No part of a secret key may be in what is said about a bad file.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import fc from "fast-check";
import { decodeEvaluationKey, rankKeysBytes } from "../../../vault/scores/evaluation_key.ts";
import { readEncryptionKeyFile, readEvaluationKeyFile, readSecretKeyFile } from "../../../vault/scores/key_files.ts";
import { formatKeyEnvelope, type KeyFormat, parseKeyEnvelope } from "../../../vault/scores/key_envelope.ts";
import { DEGREE, SECRET_WEIGHT } from "../../../vault/scores/params.ts";
import { encodeSecretKey, FheSecretKey } from "../../../vault/scores/secret_key.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { assertQuotesNothingOf, Finding, must, parseOrRefuse, PLANTED } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

interface Input {
  readonly format: KeyFormat;
  readonly text: string;
}

/** A secret key with the right number of coefficients, spread so that no part of it looks like another text. */
const SECRET = encodeSecretKey(new FheSecretKey("vault-key", Array.from({ length: DEGREE }, coefficient)));

function coefficient(_: unknown, i: number): number {
  if (i * 1597 % DEGREE >= SECRET_WEIGHT) return 0;
  return (i * 2654435761 >>> 13) % 2 === 0 ? 1 : -1;
}

const SECRET_BASE64 = Buffer.from(SECRET).toString("base64");

/** Records of an evaluation key, none of them with the megabytes of a whole one. */
const record = fc.tuple(
  fc.oneof(fc.constantFrom("metadata-eval.json", "EVIKeys32.bin"), anyText(12)),
  fc.oneof(
    fc.constantFrom('{"EvalMode":"RMP","ParameterPreset":"IP0","Ranks":[1024]}', '{"Ranks":[1e999]}', "[", "null"),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  ),
  fc.oneof(fc.constant(0n), fc.bigInt({ min: -5n, max: 5n }), fc.constantFrom(2n ** 62n, -(2n ** 63n) + 99n)),
).map(([name, content, off]) => {
  const header = Buffer.alloc(9);
  header.write("F");
  header.writeBigUInt64LE(BigInt(Buffer.byteLength(name)), 1);
  const size = Buffer.alloc(8);
  size.writeBigInt64LE(BigInt.asIntN(64, BigInt(Buffer.byteLength(content, "latin1")) + off));
  return Buffer.concat([header, Buffer.from(name), size, Buffer.from(content, "latin1")]);
});
const evaluationKey = fc.array(record, { maxLength: 3 }).map((records) => Buffer.concat(records));

const raw: Readonly<Record<KeyFormat, fc.Arbitrary<Uint8Array>>> = {
  seckey: fc.oneof(
    fc.constant(SECRET),
    fc.tuple(fc.nat({ max: SECRET.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => SECRET.with(at, byte)),
    fc.uint8Array({ maxLength: 40 }),
  ),
  enckey: fc.uint8Array({ maxLength: 40 }),
  evalkey: fc.oneof(evaluationKey, fc.uint8Array({ maxLength: 40 })),
};
const keyId = fc.oneof(fc.constantFrom("vault-key", "a", "..", "-", "A".repeat(65)), anyText(20));

const input: fc.Arbitrary<Input> = fc.constantFrom("seckey", "enckey", "evalkey").chain((format) => {
  const valid = fc.tuple(raw[format], keyId, fc.nat({ max: 2 ** 42 })).map(([bytes, id, now]) =>
    formatKeyEnvelope(format, id, bytes, now)
  );
  const text = fc.oneof(
    { weight: 30, arbitrary: valid },
    {
      weight: 100,
      arbitrary: mutatedText(valid, [...AWKWARD_TEXT, '"kid":', '"hash":"', "[]", "{}", '"alg":"x",', "IP0", "seckey"]),
    },
    { weight: 10, arbitrary: anyText() },
    { weight: 10, arbitrary: fc.json({ maxDepth: 4 }) },
    { weight: 1, arbitrary: bulkText(60_000, ["[", '{"entries":', '{"kid":"', "A", '"', SECRET_BASE64]) },
  );
  return text.map((one) => ({ format, text: one }));
});

/** Key files. */
export const target: FuzzTarget = syncTarget("key_files", "json", input, check);

function check({ format, text }: Input): void {
  const envelope = refusable(text, () => parseKeyEnvelope(format, text));
  refusable(text, () => READERS[format](text));
  if (envelope === undefined) return;
  const { keyId, createdAt, expiresAt, raw } = envelope;
  must(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(keyId), `key id ${JSON.stringify(keyId)}`);
  must(Number.isSafeInteger(createdAt) && Number.isSafeInteger(expiresAt), `from ${createdAt} to ${expiresAt}`);
  if (format !== "evalkey") return;
  const key = refusable(text, () => decodeEvaluationKey(raw));
  must(key === undefined || key.rankKeys.length === rankKeysBytes(key.rank), "keys of another length");
}

const READERS: Readonly<Record<KeyFormat, (text: string) => unknown>> = {
  seckey: readSecretKeyFile,
  enckey: readEncryptionKeyFile,
  evalkey: readEvaluationKeyFile,
};

/** The key's own characters, whatever else an edit made of the text, must not come back in a message. */
function refusable<T>(text: string, parse: () => T): T | undefined {
  return parseOrRefuse(["invalid_argument"], () => {
    try {
      return parse();
    } catch (thrown) {
      if (thrown instanceof Error && !(thrown instanceof Finding)) {
        assertQuotesNothingOf(
          SECRET_BASE64,
          10,
          "a message",
          `${thrown.message}\n${(thrown as { hint?: string }).hint ?? ""}`,
        );
        must(text.includes(PLANTED.apiKey) || !thrown.message.includes(PLANTED.apiKey), "a message from elsewhere");
      }
      throw thrown;
    }
  });
}
