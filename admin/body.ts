/**
 * Reading request bodies: JSON objects, bounded in size and time, each field named and typed.
 *
 * @module
 */

import { type BodyBounds, readBodyBytes } from "../listeners/mod.ts";
import { VaultError } from "../vault/errors.ts";
import { quoteUnknownKey } from "../vault/names.ts";

/** What a body may cost. */
export type BodyLimits = Pick<BodyBounds, "maxBytes" | "timeoutMs">;

/** Takes a field's value, or throws `invalid_argument`. `undefined` is an absent field. */
export type FieldReader<T> = (name: string, value: unknown) => T;

/** The fields of a body, with their types. */
export type FieldsOf<S> = { [K in keyof S]: S[K] extends FieldReader<infer T> ? T : never };

const JSON_TYPE = /^application\/json(\s*;\s*charset=("?)utf-8\2)?\s*$/i;

/**
 * Reads a body of the given shape. An absent body is an empty object.
 *
 * @throws {VaultError} `invalid_argument` for another type, too many bytes, bytes that are not UTF-8 or not JSON, a
 *   field that the shape does not have or whose type differs; `cancelled` when the caller went away.
 */
export async function readFields<S extends Readonly<Record<string, FieldReader<unknown>>>>(
  request: Request,
  limits: BodyLimits,
  shape: S,
): Promise<FieldsOf<S>> {
  assertJsonType(request.headers);
  const bytes = await readBytes(request, limits);
  return pickFields(bytes.length === 0 ? {} : parseObject(bytes), shape);
}

/** Text. */
export const text: FieldReader<string> = (name, value) => {
  if (typeof value === "string") return value;
  throw wrongType(name, "text", value);
};

/** A whole number that a double holds exactly. */
export const integer: FieldReader<number> = (name, value) => {
  if (Number.isSafeInteger(value)) return value as number;
  throw wrongType(name, "a whole number", value);
};

/** Yes or no. */
export const flag: FieldReader<boolean> = (name, value) => {
  if (typeof value === "boolean") return value;
  throw wrongType(name, "true or false", value);
};

/** A list of text. */
export const texts: FieldReader<readonly string[]> = (name, value) => {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw wrongType(name, "a list of text", value);
};

/** A field that may be absent or null. */
export function optional<T>(reader: FieldReader<T>): FieldReader<T | undefined> {
  return (name, value) => value === undefined || value === null ? undefined : reader(name, value);
}

/** `{...defined({a: undefined})}` has no `a`: optional fields of the domain are absent, never undefined. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** A form post is the one body that another site's page can send without asking first; so it must say JSON. */
function assertJsonType(headers: Headers): void {
  const type = headers.get("content-type");
  const hasBody = headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
  if (type === null ? !hasBody : JSON_TYPE.test(type)) return;
  throw new VaultError("invalid_argument", "The body must be JSON", { hint: "send Content-Type: application/json" });
}

function readBytes(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const { maxBytes, timeoutMs } = limits;
  const late = () => new VaultError("invalid_argument", `The body did not arrive within ${timeoutMs / 1000} s`);
  return readBodyBytes(request, { maxBytes, timeoutMs, tooLarge: () => tooLarge(maxBytes), late });
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  const value = parseJson(decodeUtf8(bytes));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new VaultError("invalid_argument", "The body must be a JSON object");
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new VaultError("invalid_argument", "The body is not UTF-8", { cause });
  }
}

/** V8 parses without recursion, so nesting costs no stack; what is nested fits no field and is refused there. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new VaultError("invalid_argument", "The body is not JSON", { cause });
  }
}

function pickFields<S extends Readonly<Record<string, FieldReader<unknown>>>>(
  body: Record<string, unknown>,
  shape: S,
): FieldsOf<S> {
  const names = Object.keys(shape);
  const unknown = Object.keys(body).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const hint = names.length === 0 ? "this takes no fields" : `fields are ${names.join(", ")}`;
    throw new VaultError("invalid_argument", `Unknown field${quoteUnknownKey(unknown)}`, { hint });
  }
  const read = names.map((name) => [name, shape[name]!(name, body[name])]);
  return Object.fromEntries(read) as FieldsOf<S>;
}

function wrongType(name: string, wanted: string, value: unknown): VaultError {
  const problem = value === undefined ? "is missing" : `must be ${wanted}`;
  return new VaultError("invalid_argument", `Field "${name}" ${problem}`);
}

function tooLarge(maxBytes: number): VaultError {
  return new VaultError("invalid_argument", `The body is larger than ${maxBytes / (1024 * 1024)} MiB`);
}
