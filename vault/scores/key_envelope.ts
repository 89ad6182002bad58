/**
 * The JSON around a raw key: one envelope form for `SecKey.json`, `EncKey.json` and `EvalKey.json`.
 *
 * Written exactly as the clients of the original write and read it. Of the three digests in it only the entry's
 * `hash` is checked when reading: `aad` and `integrity` cover no key bytes, and whoever can change a file can
 * recompute all of them. None of them is a protection against an attacker; `hash` finds damage.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { VaultError } from "../errors.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { canonicalJson, type CanonicalValue, NumberText } from "./canonical_json.ts";
import { JsonMembers, parseMembers, refusal } from "./json_members.ts";
import { P, PRESET, Q, VECTOR_SCALE_BITS } from "./params.ts";

/** The three kinds of key file. */
export type KeyFormat = "seckey" | "enckey" | "evalkey";

/** What distinguishes them. */
export interface KeyFormatRow {
  /** Its file in a key folder. */
  readonly fileName: string;
  /** `role` of its entry. */
  readonly role: string;
  /** `usage` of the file. */
  readonly usage: string;
  /** `eval_mode` of its entry. */
  readonly evaluationMode: string;
  /** The word that its `integrity` is a digest of. */
  readonly integrity: string;
  /** Longest text that is parsed: an evaluation key of the largest dimension takes 11.4 million characters. */
  readonly maxLength: number;
}

/** File name, constant fields and size limit of each kind. */
export const KEY_FORMATS: Readonly<Record<KeyFormat, KeyFormatRow>> = {
  seckey: {
    fileName: "SecKey.json",
    role: "decryption key",
    usage: "vector_search",
    evaluationMode: "",
    integrity: "sec",
    maxLength: 65_536,
  },
  enckey: {
    fileName: "EncKey.json",
    role: "encryption key",
    usage: "vector_search",
    evaluationMode: "",
    integrity: "enc",
    maxLength: 1_048_576,
  },
  evalkey: {
    fileName: "EvalKey.json",
    role: "evaluation key",
    usage: "evaluation",
    evaluationMode: "RMP",
    integrity: "eval",
    maxLength: 16_777_216,
  },
};

/** Key ids become folder names and go into every bundle. */
const KEY_ID = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** Lifetime that the original gives every key: five years of 365 days. Nothing refuses an expired key. */
const LIFETIME_HOURS = 43_800;

/** Who is said to have asked for the key, in words that clients of the original expect. */
const REQUESTER = { entity: "user@tenantA", method: "api/system/cli", type: "service/automated" };

const PROVIDER = { provider_version: "1", type: "LOCAL", version_id: "", wrap_alg: "" };

/** What a key file says about its key, apart from the key. */
export interface KeyFacts {
  /** 1 to 64 of `A-Za-z0-9._@-`. */
  readonly keyId: string;
  /** Milliseconds since 1970, as the file says. */
  readonly createdAt: number;
  /** Nothing refuses an expired key. */
  readonly expiresAt: number;
  /** Base64 of the SHA-256 of the raw key, checked. */
  readonly sha256: string;
}

/** A key file that was read. */
export interface KeyEnvelope extends KeyFacts {
  readonly raw: Uint8Array;
}

/** Throws unless a key id can be a folder name: 1 to 64 of `A-Za-z0-9._@-`, the first a letter or digit. */
export function assertKeyId(keyId: string): void {
  if (!KEY_ID.test(keyId)) {
    throw new VaultError("invalid_argument", `Key id ${JSON.stringify(keyId.slice(0, 80))} is not allowed`);
  }
}

function sha256Base64(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("base64");
}

function utcSeconds(at: number): string {
  return new Date(at).toISOString().slice(0, 19) + "Z";
}

function entry(format: KeyFormat, raw: Uint8Array): CanonicalValue {
  const scale = new NumberText(`${VECTOR_SCALE_BITS}.0`);
  return {
    hash: sha256Base64(raw),
    key_data: encodeBase64(raw),
    metadata: {
      eval_mode: KEY_FORMATS[format].evaluationMode,
      parameter: {
        DB_SCALE_FACTOR: scale,
        P: new NumberText(P.toString()),
        Q: new NumberText(Q.toString()),
        QUERY_SCALE_FACTOR: scale,
        preset: PRESET,
      },
    },
    name: format,
    role: KEY_FORMATS[format].role,
  };
}

/**
 * Writes a key file.
 *
 * @param now Creation time, milliseconds since 1970; files say it in whole seconds of UTC.
 */
export function formatKeyEnvelope(format: KeyFormat, keyId: string, raw: Uint8Array, now: number): string {
  const createdAt = utcSeconds(now);
  const associated = {
    created_at: createdAt,
    expires_at: utcSeconds(now + LIFETIME_HOURS * 3_600_000),
    format_version: 1,
    kid: keyId,
    provider_meta: PROVIDER,
    requester: REQUESTER,
    usage: KEY_FORMATS[format].usage,
  };
  return canonicalJson({
    ...associated,
    aad: { type: "SHA256", value: sha256Base64(canonicalJson(associated)) },
    entries: [entry(format, raw)],
    format,
    integrity: { type: "SHA256", value: sha256Base64(`${keyId}:${KEY_FORMATS[format].integrity}:integrity`) },
    key_version: "1",
    state: { reason: null, updated_at: createdAt, value: "active" },
  });
}

function onlyEntry(fileName: string, file: JsonMembers): JsonMembers {
  const entries = file.members["entries"];
  if (!Array.isArray(entries) || entries.length !== 1) throw refusal(fileName, "entries", "exactly one entry");
  return JsonMembers.of(fileName, "entries[0]", entries[0]);
}

/** The original can wrap a secret key under an AES key of its own; Rune-Vault never did. */
function refuseSealed(fileName: string, entry: JsonMembers): void {
  const sealed = ["alg", "iv", "tag"].some((name) => name in entry.members) || entry.text("key_data").startsWith("{");
  if (sealed) {
    throw new VaultError("invalid_argument", `${fileName} holds a key that is sealed under another key`, {
      hint: "Unseal it with the program that sealed it",
    });
  }
}

function rawKey(fileName: string, entry: JsonMembers): Uint8Array {
  const raw = decodeBase64(entry.text("key_data"));
  if (raw === null) throw refusal(fileName, "entries[0].key_data", "canonical base64");
  if (sha256Base64(raw) !== entry.text("hash")) {
    throw new VaultError("invalid_argument", `${fileName} is damaged: "hash" is not the digest of "key_data"`);
  }
  return raw;
}

/**
 * Reads a key file down to its raw bytes, which are for the caller to check.
 *
 * @throws {VaultError} `invalid_argument` for anything but an unsealed key of this kind and preset with a right hash.
 */
export function parseKeyEnvelope(format: KeyFormat, text: string): KeyEnvelope {
  const { fileName, maxLength, evaluationMode } = KEY_FORMATS[format];
  const file = parseMembers(fileName, text, maxLength);
  file.mustBe("format", format);
  file.mustBe("format_version", 1);
  const keyId = file.text("kid");
  assertKeyId(keyId);
  const entry = onlyEntry(fileName, file);
  refuseSealed(fileName, entry);
  entry.mustBe("name", format);
  const metadata = entry.object("metadata");
  metadata.mustBe("eval_mode", evaluationMode);
  // P is not looked at: parsing has rounded it.
  metadata.object("parameter").mustBe("preset", PRESET);
  metadata.object("parameter").mustBe("Q", Number(Q));
  return {
    keyId,
    createdAt: file.time("created_at"),
    expiresAt: file.time("expires_at"),
    sha256: entry.text("hash"),
    raw: rawKey(fileName, entry),
  };
}
