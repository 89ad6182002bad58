/**
 * Reading JSON that somebody else wrote, member by member.
 *
 * Every failure is `invalid_argument` and names the file and the place, never what stands there: it may be a key.
 *
 * @module
 */

import { VaultError } from "../errors.ts";

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** Reads members of parsed JSON; a failure names the file and the member, never a value. */
export class JsonMembers {
  private constructor(
    readonly fileName: string,
    readonly path: string,
    readonly members: Readonly<Record<string, unknown>>,
  ) {}

  /** Takes an object; `path` is its place in the file, empty for the whole. */
  static of(fileName: string, path: string, value: unknown): JsonMembers {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw refusal(fileName, path, "an object");
    return new JsonMembers(fileName, path, value as Record<string, unknown>);
  }

  /** A member that must be an object. */
  object(name: string): JsonMembers {
    return JsonMembers.of(this.fileName, this.#place(name), this.members[name]);
  }

  /** A member that must be a string. */
  text(name: string): string {
    const value = this.members[name];
    if (typeof value !== "string") throw refusal(this.fileName, this.#place(name), "a string");
    return value;
  }

  /** A member that must be a time in UTC, as milliseconds since 1970. */
  time(name: string): number {
    const text = this.text(name);
    const at = TIME.test(text) ? Date.parse(text) : NaN;
    if (Number.isNaN(at)) throw refusal(this.fileName, this.#place(name), "a time such as 2026-01-31T00:00:00Z");
    return at;
  }

  /** Throws unless a member has exactly this value. */
  mustBe(name: string, expected: string | number): void {
    if (this.members[name] !== expected) throw refusal(this.fileName, this.#place(name), JSON.stringify(expected));
  }

  #place(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }
}

/** What is thrown when something does not stand where it must. */
export function refusal(fileName: string, path: string, expected: string): VaultError {
  const place = path === "" ? "" : ` at "${path}"`;
  return new VaultError("invalid_argument", `${fileName} does not have ${expected}${place}`);
}

/**
 * Parses a text that must be a JSON object.
 *
 * @throws {VaultError} `invalid_argument` when it is longer than allowed, or not an object.
 */
export function parseMembers(fileName: string, text: string, maxLength: number): JsonMembers {
  if (text.length > maxLength) throw new VaultError("invalid_argument", `${fileName} is longer than a key file can be`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, and the text may be a secret key: it is not kept as a cause.
    throw new VaultError("invalid_argument", `${fileName} is not JSON`);
  }
  return JsonMembers.of(fileName, "", value);
}
