/**
 * Input fields of the identity API: their declared types, and how what clients send is coerced to them.
 *
 * The CLI sends every value as text, client libraries send typed JSON with explicit nulls; both mean the same. A null is
 * an absent field. No message ever echoes a value: it may be a secret.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import type { Json } from "../../vault/storage/identity_records.ts";
import { parseDuration } from "./durations.ts";
import { LosslessNumber } from "./json.ts";

/** One declared field. */
export interface Field<T> {
  /** The type's name in help and OpenAPI. */
  readonly type: "string" | "boolean" | "integer" | "array" | "object" | "duration" | "map" | "any";
  readonly description: string;
  /** Coerces what was sent, or throws {@link FieldProblem}. */
  coerce(value: unknown): T;
}

/** The fields of a path, by name. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What a handler gets: each field that was sent, coerced. */
export type Values<F extends Fields> = { readonly [K in keyof F]?: F[K] extends Field<infer T> ? T : never };

/** Why a value can't be taken; the caller's message names the field. */
export class FieldProblem extends Error {}

/** Text; numbers and booleans are taken as their text. */
export function text(description: string): Field<string> {
  return { type: "string", description, coerce: toText };
}

/** A boolean; `"true"`, `1`, `"f"` and so on, `""` is false. */
export function bool(description: string): Field<boolean> {
  return { type: "boolean", description, coerce: toBoolean };
}

/** A whole number; `"3600"` too. */
export function int(description: string): Field<number> {
  return { type: "integer", description, coerce: toInteger };
}

/** A list of text; one text is split at commas, each part trimmed, empty ones dropped. */
export function commaList(description: string): Field<readonly string[]> {
  return { type: "array", description, coerce: toCommaList };
}

/** A list of text; one text is one element. */
export function list(description: string): Field<readonly string[]> {
  return { type: "array", description, coerce: (value) => toList(value) };
}

/** Whole seconds; `"90s"`, `"1h30m"`, `"7d"`, `3600`; `""` is 0. */
export function duration(description: string): Field<number> {
  return { type: "duration", description, coerce: toDuration };
}

/** Text by key: an object of scalars, `"k=v"`, or a list of `"k=v"`. Numbers keep their literal text. */
export function textMap(description: string): Field<Readonly<Record<string, string>>> {
  return { type: "map", description, coerce: toTextMap };
}

/** Any JSON by key: an object, `"k=v"`, or a list of `"k=v"`. Numbers that a double can't hold keep their text. */
export function jsonMap(description: string): Field<Readonly<Record<string, Json>>> {
  return { type: "map", description, coerce: toJsonMap };
}

/** An object, passed on as it is. */
export function object(description: string): Field<Readonly<Record<string, Json>>> {
  return { type: "object", description, coerce: toObject };
}

/** Anything, passed on as plain JSON. */
export function anything(description: string): Field<Json> {
  return { type: "any", description, coerce: toJson };
}

/**
 * Coerces the fields that were sent.
 *
 * @param prefix Put before the message; upstream says `Field validation failed: ` on most paths.
 * @throws {VaultError} `invalid_argument` naming the field.
 */
export function coerceFields<F extends Fields>(
  fields: F,
  sent: ReadonlyMap<string, unknown>,
  prefix: string,
): Values<F> {
  const values: Record<string, unknown> = {};
  for (const [name, value] of sent) {
    if (value === null || !Object.hasOwn(fields, name)) continue;
    values[name] = coerceOne(fields[name]!, name, value, prefix);
  }
  return values as Values<F>;
}

function coerceOne(field: Field<unknown>, name: string, value: unknown, prefix: string): unknown {
  try {
    return field.coerce(value);
  } catch (problem) {
    if (!(problem instanceof FieldProblem)) throw problem;
    throw new VaultError(
      "invalid_argument",
      `${prefix}error converting input for field "${name}": ${problem.message}`,
    );
  }
}

function toText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof LosslessNumber) return value.text;
  throw new FieldProblem("expected text");
}

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["", "0", "f", "F", "FALSE", "false", "False"]);

/** The set of Go's `strconv.ParseBool`, which the clients were written against. */
export function parseBoolean(value: string): boolean | undefined {
  return TRUE.has(value) ? true : FALSE.has(value) ? false : undefined;
}

function toBoolean(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  const parsed = typeof value === "string" || value === 0 || value === 1 ? parseBoolean(String(value)) : undefined;
  if (parsed !== undefined) return parsed;
  throw new FieldProblem("expected true or false");
}

function toInteger(value: unknown): number {
  const number = typeof value === "string" && /^-?[0-9]{1,16}$/.test(value) ? Number(value) : value;
  if (Number.isSafeInteger(number)) return number as number;
  throw new FieldProblem("expected a whole number");
}

function toDuration(value: unknown): number {
  const seconds = typeof value === "number" || typeof value === "string" ? parseDuration(value) : undefined;
  if (seconds === undefined) throw new FieldProblem('expected a duration, such as 3600, "90s" or "24h"');
  if (seconds < 0) throw new FieldProblem("cannot provide negative value");
  return seconds;
}

function toCommaList(value: unknown): string[] {
  const parts = typeof value === "string" ? value.split(",") : toList(value);
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function toList(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(toText);
  return [toText(value)];
}

function toTextMap(value: unknown): Record<string, string> {
  return mapOf(value, scalarText);
}

function toJsonMap(value: unknown): Record<string, Json> {
  return mapOf(value, toJson);
}

function mapOf<T>(value: unknown, convert: (value: unknown) => T): Record<string, T> {
  if (value instanceof Map) return fromEntries([...value].map(([key, one]) => [key as string, convert(one)]));
  const pairs = typeof value === "string" && value !== "" ? [value] : value;
  if (value === "") return {};
  if (!Array.isArray(pairs)) throw new FieldProblem("expected an object");
  return fromEntries(pairs.map((pair) => splitPair(pair, convert)));
}

function splitPair<T>(pair: unknown, convert: (value: unknown) => T): [string, T] {
  const at = typeof pair === "string" ? pair.indexOf("=") : -1;
  if (at < 1) throw new FieldProblem('invalid key pair: expected "key=value"');
  return [(pair as string).slice(0, at), convert((pair as string).slice(at + 1))];
}

function scalarText(value: unknown): string {
  if (value === true) return "1";
  if (value === false) return "0";
  if (value === null) return "";
  if (value instanceof Map || Array.isArray(value)) throw new FieldProblem("values must be text");
  return toText(value);
}

function toObject(value: unknown): Record<string, Json> {
  if (!(value instanceof Map)) throw new FieldProblem("expected an object");
  return toJson(value) as Record<string, Json>;
}

function toJson(value: unknown): Json {
  if (value instanceof LosslessNumber) return value.text;
  if (value instanceof Map) return fromEntries([...value].map(([key, one]) => [key as string, toJson(one)]));
  return Array.isArray(value) ? value.map(toJson) : value as Json;
}

/** An object whose keys are data: `__proto__` is one like any other. */
function fromEntries<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries);
}
