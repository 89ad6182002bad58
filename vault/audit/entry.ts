/**
 * One entry of the audit trail, and the line that it becomes.
 *
 * A line is JSON, so that any tool reads it, and has a fixed beginning and end, so that it can be checked without being
 * understood: `{"seq":N,` … `,"prev":"<hash of the line before>","mac":"<HMAC of all before it>"}`.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { Effect } from "./effects.ts";

/** Through which door a request came; `vault`: nobody asked, it happened by itself. */
export type AuditFace = "grpc" | "api" | "admin" | "socket" | "vault";

/** `refused`: the vault said no. `failed`: it could not. `interrupted`: it ended before it had answered. */
export type AuditDecision = "allowed" | "refused" | "failed" | "interrupted";

/** What an entry says. Absent members say nothing; none of them is a secret. */
export interface AuditEntry {
  /** UTC, with milliseconds. */
  readonly time: string;
  readonly request_id: string;
  readonly face: AuditFace;
  readonly operation: string;
  readonly decision: AuditDecision;
  /** The kind of the error, where there was one. */
  readonly error?: string | undefined;
  readonly user?: string | undefined;
  /** Who the client of an operator says called sudo; anybody could say so. */
  readonly unverified_sudo_user?: string | undefined;
  readonly entity_id?: string | undefined;
  readonly accessor?: string | undefined;
  readonly session_id?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly remote_address?: string | undefined;
  /** Names, counts, agent ids; on the identity API the path. */
  readonly resource?: Readonly<Record<string, unknown>> | undefined;
  readonly duration_ms?: number | undefined;
  /** The number of the change in the store that was committed together with this entry. */
  readonly change?: number | undefined;
  readonly effects?: readonly Effect[] | undefined;
  /** The entry of the same request before this one: what came after it could no longer stand in it. */
  readonly continues?: number | undefined;
}

/** An entry as it stands in a file. */
export interface StoredEntry extends AuditEntry {
  readonly seq: number;
  readonly prev: string;
  readonly mac: string;
}

/** The longest line, in bytes; what would be longer is written as several entries. */
export const MAX_LINE_BYTES = 1024 * 1024;

/** What stands for the hash of the line before the first. */
export const GENESIS_HASH = "0".repeat(64);

const START = /^\{"seq":([1-9][0-9]{0,15}),/;
const END = /,"prev":"([0-9a-f]{64})","mac":"([0-9a-f]{64})"\}$/;
/** Length of `,"mac":"…"}`. */
const MAC_LENGTH = 74;

/** A line taken apart, without a look at what it says. */
export interface LineParts {
  readonly seq: number;
  readonly prev: string;
  readonly mac: string;
  /** What the HMAC is over. */
  readonly signed: string;
}

/**
 * Takes a line apart.
 *
 * @throws {VaultError} `invalid_argument` for what is no line of a trail.
 */
export function lineParts(line: string): LineParts {
  const start = START.exec(line);
  const end = END.exec(line);
  if (start === null || end === null || line.length > MAX_LINE_BYTES) throw notALine();
  const seq = Number(start[1]);
  if (!Number.isSafeInteger(seq)) throw notALine();
  return { seq, prev: end[1]!, mac: end[2]!, signed: line.slice(0, -MAC_LENGTH) };
}

/**
 * Reads a line.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function parseLine(line: string): StoredEntry {
  lineParts(line);
  const entry = jsonOf(line);
  const isEntry = typeof entry === "object" && entry !== null && TEXTS.every((name) => isText(entry, name)) &&
    OPTIONAL_TEXTS.every((name) => !(name in entry) || isText(entry, name));
  if (!isEntry || Number.isNaN(Date.parse((entry as AuditEntry).time))) throw notALine();
  return entry as StoredEntry;
}

const TEXTS = ["time", "request_id", "face", "operation", "decision"];
const OPTIONAL_TEXTS = ["error", "user", "entity_id", "accessor", "session_id", "agent_id", "remote_address"];

function isText(entry: object, name: string): boolean {
  return typeof (entry as Record<string, unknown>)[name] === "string";
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw notALine();
  }
}

function notALine(): VaultError {
  return new VaultError("invalid_argument", "This is no line of an audit trail");
}
