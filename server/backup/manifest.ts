/**
 * What a backup says of itself: its first entry, which names every part that follows, with size and digest.
 *
 * @module
 */

import { VaultError } from "../../vault/mod.ts";

/** The name of the first entry. */
export const MANIFEST = "manifest.json";

/** The form of backups that this program writes, and the one that it reads. */
export const BACKUP_FORMAT = 1;

/** A list of parts that is larger is no backup of ours. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** As many parts a backup may have. */
export const MAX_PARTS = 10_000;

/** One file of a backup. */
export interface BackupPart {
  /** Below the data folder. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of its content, hex. */
  readonly sha256: string;
}

/** The manifest. */
export interface Manifest {
  readonly format: number;
  /** The version of the program that made it. */
  readonly program: string;
  /** ISO 8601. */
  readonly created_at: string;
  /** The version of the store's schema. */
  readonly schema: number;
  /** The number of changes that the store in it has seen. */
  readonly sequence: number;
  /** In the order in which they follow. */
  readonly parts: readonly BackupPart[];
}

/**
 * The files that a backup may hold. A name from a backup is never joined to a path unless it has this form: it can't
 * leave the folder, and it can't plant a file that the vault would load.
 */
const PART_PATH =
  /^(runevault\.db|seal\.key|admin\.token|vault-(roles|tokens)\.yml|(etc\/)?runevault\.yml|audit\.log((\.[0-9]{1,6}|-[0-9]{8})(\.gz)?)?|audit-[0-9]{16}\.log(\.gz)?|tls\/(ca|server)\.(pem|key)|keys\/[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\/(Sec|Enc|Eval)Key\.json)$/;

/** Where a configuration file from outside of the data folder goes: to be read, not to be in force. */
export const OUTSIDE_CONFIG = "etc/runevault.yml";

/** What no vault can be without. */
const NEEDED: readonly string[] = ["runevault.db", "seal.key"];

/** Whether a file may be part of a backup. */
export function isPartPath(path: string): boolean {
  return PART_PATH.test(path);
}

/** Certificates are public and meant to be copied; everything else is its owner's alone. */
export function modeOf(path: string): number {
  return path.startsWith("tls/") && path.endsWith(".pem") ? 0o644 : 0o600;
}

/**
 * Reads a manifest.
 *
 * @throws {VaultError} `invalid_argument` for one that isn't of our form, `precondition_failed` for a newer form.
 */
export function parseManifest(text: string): Manifest {
  const value = parseJson(text);
  if (!isObject(value)) throw notOurs("its first entry is no manifest");
  const { format, program, created_at, schema, sequence, parts } = value;
  if (isCount(format) && format > BACKUP_FORMAT) {
    throw new VaultError(
      "precondition_failed",
      `The backup has form ${format}; this runevault reads ${BACKUP_FORMAT}`,
      {
        hint: "restore it with the newer runevault that made it",
      },
    );
  }
  if (format !== BACKUP_FORMAT || !isCount(schema) || !isCount(sequence)) throw notOurs("its manifest is not complete");
  if (typeof program !== "string" || typeof created_at !== "string") throw notOurs("its manifest is not complete");
  return {
    format,
    program: program.slice(0, 40),
    created_at: momentOf(created_at),
    schema,
    sequence,
    parts: partsOf(parts),
  };
}

function partsOf(value: unknown): BackupPart[] {
  if (!Array.isArray(value) || value.length > MAX_PARTS) throw notOurs("its list of parts is none");
  const parts = value.map(partOf);
  const names = new Set(parts.map(({ path }) => path));
  if (names.size !== parts.length) throw notOurs("a part is named twice");
  const missing = NEEDED.find((name) => !names.has(name));
  if (missing !== undefined) throw notOurs(`it has no ${missing}`);
  return parts;
}

function partOf(value: unknown): BackupPart {
  if (!isObject(value)) throw notOurs("a part has no name");
  const { path, bytes, sha256 } = value;
  if (typeof path !== "string" || !isPartPath(path)) throw notOurs("a part has a name that no vault's file has");
  if (!isCount(bytes)) throw notOurs(`its part ${path} has no size`);
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) throw notOurs(`its part ${path} has no digest`);
  return { path, bytes, sha256 };
}

function momentOf(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw notOurs("its manifest has no date");
  return new Date(ms).toISOString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A file that is no backup of ours, or a damaged one. */
export function notOurs(why: string): VaultError {
  return new VaultError("invalid_argument", `This is not a whole backup of runevault: ${why}`, {
    hint: "it may be cut off or damaged: take another copy of it",
  });
}
