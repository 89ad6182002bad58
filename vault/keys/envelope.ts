/**
 * Metadata envelopes: parsing, opening, sealing. Pure: the keys are handed in.
 *
 * Version 1, `{"a": agent_id, "c": base64(IV16 ‖ AES-256-CTR)}`, is Rune-Vault's and has no authentication: a wrong key
 * or a damaged one yields noise, which is refused only where it is not UTF-8. Version 2,
 * `{"v":2,"a":agent_id,"k":key_version,"c":base64(nonce12 ‖ AES-256-GCM ‖ tag16)}`, is authenticated together with
 * its author and key version.
 *
 * @module
 */

import { Buffer, isUtf8 } from "node:buffer";
import { createCipheriv, createDecipheriv } from "node:crypto";
import { VaultError } from "../errors.ts";
import type { RandomSource } from "../ports.ts";
import { AGENT_ID } from "./agent_keys.ts";

const IV_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Key versions count rotations; a larger number is no envelope of ours. */
const MAX_KEY_VERSION = 1_000_000;

/** A version-1 envelope, decoded. */
export interface EnvelopeV1 {
  readonly version: 1;
  readonly agentId: string;
  readonly payload: Buffer;
}

/** A version-2 envelope, decoded. */
export interface EnvelopeV2 {
  readonly version: 2;
  readonly agentId: string;
  readonly keyVersion: number;
  /** Whether it was re-sealed from a version-1 envelope, whose author was never proven. */
  readonly fromV1: boolean;
  readonly payload: Buffer;
}

/** Either version. */
export type Envelope = EnvelopeV1 | EnvelopeV2;

/** What tells an envelope's key. */
export type EnvelopeHead =
  & (Pick<EnvelopeV1, "version" | "agentId"> | Pick<EnvelopeV2, "version" | "agentId" | "keyVersion">)
  & {
    /** How many envelopes it stands for; absent: one. */
    readonly envelopes?: number;
  };

/**
 * Decodes an envelope's text.
 *
 * @throws {VaultError} `ciphertext_invalid` that says what is wrong with the form.
 */
export function parseEnvelope(text: string): Envelope {
  const { v, a, k, c, o } = parseObject(text);
  if (typeof a !== "string" || !AGENT_ID.test(a)) throw malformed('"a" is not 32 lower-case hex digits');
  if (v === undefined || v === 1) return { version: 1, agentId: a, payload: decodePayload(c, IV_BYTES) };
  if (v !== 2) throw malformed('"v" is neither 1 nor 2');
  if (typeof k !== "number" || !Number.isInteger(k) || k < 1 || k > MAX_KEY_VERSION) {
    throw malformed('"k" is not a key version');
  }
  if (o !== undefined && o !== 1) throw malformed('"o" is not 1');
  const payload = decodePayload(c, NONCE_BYTES + TAG_BYTES);
  return { version: 2, agentId: a, keyVersion: k, fromV1: o === 1, payload };
}

/**
 * Decrypts an envelope.
 *
 * @param key The author's data key for this envelope version, 32 bytes.
 * @returns The plaintext as UTF-8, checked: it goes on to a wire, and is not made a string on the way.
 * @throws {VaultError} `ciphertext_invalid`, never saying which step failed.
 */
export function openEnvelope(envelope: Envelope, key: Uint8Array): Buffer {
  const plaintext = orNotOpened(() => envelope.version === 1 ? openV1(envelope, key) : openV2(envelope, key));
  if (isUtf8(plaintext)) return plaintext;
  throw notOpened(new TypeError("Not UTF-8"));
}

function orNotOpened(open: () => Buffer): Buffer {
  try {
    return open();
  } catch (cause) {
    throw notOpened(cause);
  }
}

function notOpened(cause: unknown): VaultError {
  return new VaultError("ciphertext_invalid", "The envelope does not open", { cause });
}

/**
 * Seals text, given as such or as UTF-8, as a version-2 envelope, with a random nonce (NIST SP 800-38D §8.2.2: at most 2^32 seals under one key,
 * which is one agent's at one version of the team secret).
 */
export function sealEnvelope(
  plaintext: string | Uint8Array,
  author: { agentId: string; keyVersion: number; fromV1: boolean },
  key: Uint8Array,
  random: RandomSource,
): string {
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(associatedData(author));
  const body = Buffer.concat([
    nonce,
    cipher.update(typeof plaintext === "string" ? Buffer.from(plaintext, "utf8") : plaintext),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  const origin = author.fromV1 ? { o: 1 } : {};
  return JSON.stringify({ v: 2, a: author.agentId, k: author.keyVersion, ...origin, c: body.toString("base64") });
}

function openV1(envelope: EnvelopeV1, key: Uint8Array): Buffer {
  const payload = plainView(envelope.payload);
  const decipher = createDecipheriv("aes-256-ctr", key, payload.subarray(0, IV_BYTES));
  const body = decipher.update(payload.subarray(IV_BYTES));
  // Nothing comes of it; but only then the runtime lets go of the cipher and the key in it.
  decipher.final();
  return body;
}

function openV2(envelope: EnvelopeV2, key: Uint8Array): Buffer {
  const payload = plainView(envelope.payload);
  const decipher = createDecipheriv("aes-256-gcm", key, payload.subarray(0, NONCE_BYTES))
    .setAAD(associatedData(envelope))
    .setAuthTag(payload.subarray(-TAG_BYTES));
  const body = decipher.update(payload.subarray(NONCE_BYTES, -TAG_BYTES));
  decipher.final();
  return body;
}

/** Parts of a plain array cost a third of what parts of a Buffer cost, and each envelope takes several. */
function plainView({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function associatedData(author: { agentId: string; keyVersion: number; fromV1: boolean }): Buffer {
  return Buffer.from(`runevault/v2\n${author.agentId}\n${author.keyVersion}${author.fromV1 ? "\no1" : ""}`, "utf8");
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw malformed("it is not JSON", cause);
  }
  throw malformed("it is not a JSON object");
}

/**
 * Standard base64 with padding (RFC 4648 §4). Node's decoder passes over what it doesn't know and takes the URL-safe
 * letters too; a length that falls short, or one of those two letters, gives it away faster than a pattern would.
 */
function decodePayload(c: unknown, minBytes: number): Buffer {
  if (typeof c !== "string" || c.length % 4 !== 0 || c.includes("-") || c.includes("_")) throw notBase64();
  const payload = Buffer.from(c, "base64");
  const padding = c.endsWith("==") ? 2 : c.endsWith("=") ? 1 : 0;
  if (payload.length !== (c.length / 4) * 3 - padding) throw notBase64();
  if (payload.length < minBytes) throw malformed('"c" is too short');
  return payload;
}

function notBase64(): VaultError {
  return malformed('"c" is not standard base64');
}

function malformed(reason: string, cause?: unknown): VaultError {
  return new VaultError("ciphertext_invalid", `Not an envelope: ${reason}`, { cause });
}
