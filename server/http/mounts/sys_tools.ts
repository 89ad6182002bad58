/**
 * `sys/tools`: random bytes and hashes, which the default policy grants.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { VaultError } from "../../../vault/errors.ts";
import type { RandomSource } from "../../../vault/ports.ts";
import { int, text } from "../fields.ts";
import { type ApiAnswer, type Route, route } from "../route.ts";

const MAX_RANDOM_BYTES = 128 * 1024;
const ALGORITHMS: Readonly<Record<string, string>> = {
  "sha2-224": "sha224",
  "sha2-256": "sha256",
  "sha2-384": "sha384",
  "sha2-512": "sha512",
  "sha3-224": "sha3-224",
  "sha3-256": "sha3-256",
  "sha3-384": "sha3-384",
  "sha3-512": "sha3-512",
};

/** The routes. */
export function sysToolsRoutes(random: RandomSource): Route[] {
  const randomFields = { bytes: int("how many, 32 where absent"), format: text("`base64` (default) or `hex`") };
  const hashFields = {
    input: text("base64 of what to hash"),
    algorithm: text("`sha2-256` (default), `sha2-512`, `sha3-256` and so on"),
    format: text("`hex` (default) or `base64`"),
  };
  return [
    route({
      path: "tools/random",
      summary: "Random bytes.",
      fields: randomFields,
      write: ({ values }) => randomAnswer(random, values.bytes ?? 32, values.format),
    }),
    route({
      path: "tools/random/:name.bytes",
      summary: "So many random bytes.",
      fields: { format: randomFields.format },
      write: ({ params, values }) => randomAnswer(random, Number(params["bytes"]), values.format),
    }),
    route({
      path: "tools/hash",
      summary: "The hash of an input.",
      fields: hashFields,
      write: ({ values }) => hashAnswer(values.input, values.algorithm, values.format),
    }),
    route({
      path: "tools/hash/:name.algorithm",
      summary: "The hash of an input by a named algorithm.",
      fields: { input: hashFields.input, format: hashFields.format },
      write: ({ params, values }) => hashAnswer(values.input, params["algorithm"], values.format),
    }),
  ];
}

function randomAnswer(random: RandomSource, bytes: number, format = "base64"): ApiAnswer {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > MAX_RANDOM_BYTES) {
    throw new VaultError("invalid_argument", `"bytes" must be a whole number from 1 to ${MAX_RANDOM_BYTES}`);
  }
  return { data: { random_bytes: encoded(random.bytes(bytes), format) } };
}

function hashAnswer(input: string | undefined, algorithm = "sha2-256", format = "hex"): ApiAnswer {
  const name = Object.hasOwn(ALGORITHMS, algorithm) ? ALGORITHMS[algorithm] : undefined;
  if (name === undefined) {
    throw new VaultError("invalid_argument", "unsupported algorithm", {
      hint: `algorithms are ${Object.keys(ALGORITHMS).join(", ")}`,
    });
  }
  return { data: { sum: encoded(createHash(name).update(decodeBase64(input)).digest(), format) } };
}

function decodeBase64(text: string | undefined): Uint8Array {
  if (text !== undefined && /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0) {
    return Buffer.from(text, "base64");
  }
  throw new VaultError("invalid_argument", "unable to decode input as base64");
}

function encoded(bytes: Uint8Array, format: string): string {
  if (format === "hex") return bytes.toHex();
  if (format === "base64") return bytes.toBase64();
  throw new VaultError("invalid_argument", 'unsupported encoding format: it must be "hex" or "base64"');
}
