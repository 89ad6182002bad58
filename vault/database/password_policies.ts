/**
 * Password policies: what generated passwords are made of (`sys/policies/password`).
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { HclBody, HclProblem, parseHcl } from "../policies/hcl.ts";
import type { RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { Writer } from "../writer.ts";
import { randomText, shuffled } from "./random_text.ts";

const MIN_LENGTH = 4;
const MAX_LENGTH = 100;
const MAX_TEXT = 8192;

/** One rule: so many characters, at least, of a set. */
interface CharsetRule {
  readonly charset: string;
  readonly min: number;
}

/** A policy, read. */
export interface PasswordRules {
  readonly length: number;
  readonly rules: readonly CharsetRule[];
}

/**
 * Reads a policy: `length = 24`, and blocks `rule "charset" { charset = "abc" min-chars = 1 }`.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function parsePasswordPolicy(text: string): PasswordRules {
  if (text.length > MAX_TEXT) throw invalid(`longer than ${MAX_TEXT} characters`);
  const { items } = readHcl(text);
  const unknown = items.find(({ keys }) => keys[0] !== "length" && keys[0] !== "rule");
  if (unknown !== undefined) throw invalid(`unknown key at line ${unknown.line}`);
  const length = items.find(({ keys }) => keys[0] === "length")?.value;
  if (typeof length !== "number" || !Number.isInteger(length) || length < MIN_LENGTH || length > MAX_LENGTH) {
    throw invalid(`length must be a whole number from ${MIN_LENGTH} to ${MAX_LENGTH}`);
  }
  const rules = items.filter(({ keys }) => keys[0] === "rule").map(({ keys, value, line }) =>
    ruleOf(keys, value, line)
  );
  if (rules.length === 0) throw invalid("at least one charset rule is needed");
  if (rules.reduce((sum, { min }) => sum + min, 0) > length) throw invalid("more characters are asked for than length");
  return { length, rules };
}

/** A password by a policy. */
export function passwordBy({ length, rules }: PasswordRules, random: RandomSource): string {
  const needed = rules.map(({ charset, min }) => randomText(random, min, charset)).join("");
  const all = [...new Set(rules.flatMap(({ charset }) => [...charset]))].join("");
  return shuffled(random, needed + randomText(random, length - [...needed].length, all));
}

/** The policies that are stored. */
export class PasswordPolicies {
  readonly #state: VaultState;
  readonly #writer: Writer;
  readonly #random: RandomSource;

  constructor({ state, writer, random }: { state: VaultState; writer: Writer; random: RandomSource }) {
    this.#state = state;
    this.#writer = writer;
    this.#random = random;
  }

  /** The text of a policy. */
  get(name: string): string | undefined {
    return this.#state.table("password_policy").get(name)?.text;
  }

  /** Their names, sorted. */
  list(): string[] {
    return [...this.#state.table("password_policy").keys()].sort();
  }

  /** Writes a policy; `invalid_argument` for one that is none. */
  put(name: string, text: string): Promise<void> {
    parsePasswordPolicy(text);
    return this.#writer.change(() => ({
      writes: [{ kind: "password_policy", key: name, value: { name, text } }],
      result: () => {},
    }));
  }

  /** Deletes a policy; absent: nothing. */
  delete(name: string): Promise<void> {
    return this.#writer.change(() => ({ writes: [{ kind: "password_policy", key: name }], result: () => {} }));
  }

  /** A password by a policy; undefined where there is none of this name. */
  generate(name: string): string | undefined {
    const text = this.get(name);
    return text === undefined ? undefined : passwordBy(parsePasswordPolicy(text), this.#random);
  }
}

function readHcl(text: string): HclBody {
  try {
    return parseHcl(text);
  } catch (error) {
    throw invalid(error instanceof HclProblem ? error.message : "not HCL");
  }
}

function ruleOf(keys: readonly string[], value: unknown, line: number): CharsetRule {
  if (keys[1] !== "charset" || !(value instanceof HclBody)) {
    throw invalid(`only charset rules are known, at line ${line}`);
  }
  const fields = new Map(value.items.map((item) => [item.keys[0]!, item.value]));
  const charset = fields.get("charset");
  const min = fields.get("min-chars") ?? 0;
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (typeof charset !== "string" || charset === "" || !charset.isWellFormed() || /[\x00-\x1f\x7f]/.test(charset)) {
    throw invalid(`charset must be printable text, at line ${line}`);
  }
  if (/['"`\\]/.test(charset)) {
    throw invalid(`charset may have no quotes and no backslashes, which end the text in a statement, at line ${line}`);
  }
  if (typeof min !== "number" || !Number.isInteger(min) || min < 0 || min > MAX_LENGTH) {
    throw invalid(`min-chars must be a whole number, at line ${line}`);
  }
  return { charset, min };
}

function invalid(reason: string): VaultError {
  return new VaultError("invalid_argument", `invalid password policy: ${reason}`);
}
