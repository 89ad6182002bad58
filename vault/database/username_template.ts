/**
 * Templates of accounts' names, in the part of Go's template language that operators write them in:
 * `{{ printf "v-%s-%s" (.DisplayName | truncate 10) (random 20) | lowercase }}`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { VaultError } from "../errors.ts";
import type { Clock, RandomSource } from "../ports.ts";
import { randomText } from "./random_text.ts";

/** Who an account is for. */
export interface UsernameFields {
  /** Of the token. */
  readonly DisplayName: string;
  readonly RoleName: string;
  /** The user's name, or the token's display name where there is no user. */
  readonly UserName: string;
}

/** What a template may draw on. */
export interface TemplateSources {
  readonly random: RandomSource;
  readonly clock: Clock;
}

/** A template, ready to be rendered. */
export interface UsernameTemplate {
  render(fields: UsernameFields, sources: TemplateSources): string;
}

type Value = string | number;
interface Context extends TemplateSources {
  readonly fields: UsernameFields;
}
type Expression = (context: Context) => Value;

const MAX_LENGTH = 2048;
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?[0-9]+)|\.([A-Za-z]+)|([A-Za-z_][A-Za-z0-9_]*)|([()|]))\s*/y;

/**
 * Reads a template.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function parseUsernameTemplate(text: string): UsernameTemplate {
  if (text.length > MAX_LENGTH) throw invalid(`longer than ${MAX_LENGTH} characters`);
  const pieces: (string | Expression)[] = [];
  let rest = text;
  for (let open = rest.indexOf("{{"); open !== -1; open = rest.indexOf("{{")) {
    const close = rest.indexOf("}}", open);
    if (close === -1) throw invalid("unclosed action");
    pieces.push(rest.slice(0, open), new Parser(rest.slice(open + 2, close).replace(/^-\s|\s-$/g, "")).whole());
    rest = rest.slice(close + 2);
  }
  if (rest.includes("}}")) throw invalid("unexpected }}");
  pieces.push(rest);
  return {
    render: (fields, sources) => {
      const context = { ...sources, fields: cleaned(fields) };
      return pieces.map((piece) => typeof piece === "string" ? piece : String(piece(context))).join("");
    },
  };
}

/** A sample of who accounts are for: names of common lengths. */
const SAMPLE = { DisplayName: "userpass-alice", RoleName: "app-users", UserName: "alice" };
const SAMPLE_SOURCES: TemplateSources = {
  random: { bytes: (length) => new Uint8Array(length) },
  clock: { now: () => 1_700_000_000_000, monotonic: () => 0 },
};

/** Refuses a template that no account could be named by: an empty one, say, or one with quotes in it. */
export function assertFits(template: UsernameTemplate, maxLength: number): void {
  assertAccountName(template.render(SAMPLE, SAMPLE_SOURCES), maxLength);
}

/** A name that a server takes and that no statement can be broken out of by. */
export function assertAccountName(username: string, maxLength: number): void {
  if (username === "") throw invalid("it renders to nothing");
  if (!/^[A-Za-z0-9_.@+-]+$/.test(username)) {
    throw invalid("it renders to something else than letters, digits and _ . @ + -");
  }
  if (username.length > maxLength) throw invalid(`it renders to more than ${maxLength} characters`);
}

/** Whatever stood in a name can't leave the quotes of a statement. */
function cleaned({ DisplayName, RoleName, UserName }: UsernameFields): UsernameFields {
  return { DisplayName: cleanName(DisplayName), RoleName: cleanName(RoleName), UserName: cleanName(UserName) };
}

/** A name with dashes in place of all that means something to anybody. */
export function cleanName(name: string): string {
  return name.replace(/[^A-Za-z0-9_.-]/g, "-");
}

/** Recursive descent over one action; a pipeline hands its value to the next command as the last argument. */
class Parser {
  readonly #tokens: RegExpExecArray[] = [];
  #at = 0;

  constructor(text: string) {
    for (let at = 0; at < text.length;) {
      TOKEN.lastIndex = at;
      const found = TOKEN.exec(text);
      if (found === null) throw invalid("unexpected character");
      this.#tokens.push(found);
      at = TOKEN.lastIndex;
    }
  }

  whole(): Expression {
    const expression = this.#pipeline();
    if (this.#at < this.#tokens.length) throw invalid("unexpected )");
    return expression;
  }

  #pipeline(): Expression {
    let expression = this.#command(undefined);
    while (this.#symbol() === "|") {
      this.#at++;
      expression = this.#command(expression);
    }
    return expression;
  }

  #command(piped: Expression | undefined): Expression {
    const name = this.#tokens[this.#at]?.[4];
    if (name === undefined) {
      const operand = this.#operand();
      if (piped !== undefined || operand === undefined) throw invalid("a function is missing");
      return operand;
    }
    this.#at++;
    const given: Expression[] = [];
    for (let operand = this.#operand(); operand !== undefined; operand = this.#operand()) given.push(operand);
    return call(name, piped === undefined ? given : [...given, piped]);
  }

  #operand(): Expression | undefined {
    const token = this.#tokens[this.#at];
    if (token === undefined || token[5] === ")" || token[5] === "|") return undefined;
    this.#at++;
    const [, text, number, field, name] = token;
    if (text !== undefined) return always(unquoted(text));
    if (number !== undefined) return always(Number(number));
    if (field !== undefined) return fieldOf(field);
    if (name !== undefined) return call(name, []);
    const inner = this.#pipeline();
    if (this.#symbol() !== ")") throw invalid("unclosed (");
    this.#at++;
    return inner;
  }

  #symbol(): string | undefined {
    return this.#tokens[this.#at]?.[5];
  }
}

type Function = (args: readonly Value[], context: Context) => Value;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Each with the number of its arguments. */
const FUNCTIONS: Readonly<Record<string, readonly [arity: number, work: Function]>> = {
  random: [1, ([length], { random }) => randomText(random, lengthOf(length, 1))],
  truncate: [2, ([length, text]) => String(text).slice(0, lengthOf(length, 1))],
  truncate_sha256: [2, ([length, text]) => truncatedWithHash(String(text), lengthOf(length, 9))],
  uppercase: [1, ([text]) => String(text).toUpperCase()],
  lowercase: [1, ([text]) => String(text).toLowerCase()],
  replace: [3, ([find, by, text]) => String(text).replaceAll(String(find), String(by))],
  sha256: [1, ([text]) => sha256(String(text))],
  base64: [1, ([text]) => Buffer.from(String(text)).toString("base64")],
  decode_base64: [1, ([text]) => Buffer.from(String(text), "base64").toString("utf8")],
  hex: [1, ([text]) => Buffer.from(String(text)).toString("hex")],
  decode_hex: [1, ([text]) => Buffer.from(String(text), "hex").toString("utf8")],
  unix_time: [0, (_, { clock }) => Math.floor(clock.now() / 1000)],
  unix_time_millis: [0, (_, { clock }) => clock.now()],
  timestamp: [1, ([layout], { clock }) => timestamp(String(layout), clock.now())],
  uuid: [0, (_, { random }) => uuidOf(random.bytes(16))],
};

function call(name: string, args: readonly Expression[]): Expression {
  if (name === "printf") {
    if (args.length === 0) throw invalid("printf needs a format");
    return (context) => printf(args.map((arg) => arg(context)));
  }
  const found = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (found === undefined) throw invalid(`function "${name.slice(0, 40)}" not defined`);
  const [arity, work] = found;
  if (args.length !== arity) throw invalid(`wrong number of args for ${name}: want ${arity} got ${args.length}`);
  return (context) => work(args.map((arg) => arg(context)), context);
}

function printf([format, ...args]: readonly Value[]): string {
  let next = 0;
  return String(format).replace(/%([sdv%])/g, (_, verb) => {
    if (verb === "%") return "%";
    if (next >= args.length) throw invalid("printf has too few arguments");
    return String(args[next++]);
  });
}

function truncatedWithHash(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length - 8) + sha256(text).slice(0, 8);
}

/** Go's reference time, 2006-01-02 15:04:05, in UTC. */
function timestamp(layout: string, now: number): string {
  const iso = new Date(now).toISOString();
  const parts: Readonly<Record<string, string>> = {
    "2006": iso.slice(0, 4),
    "01": iso.slice(5, 7),
    "02": iso.slice(8, 10),
    "15": iso.slice(11, 13),
    "04": iso.slice(14, 16),
    "05": iso.slice(17, 19),
  };
  return layout.replace(/2006|01|02|15|04|05/g, (part) => parts[part]!);
}

function uuidOf(bytes: Uint8Array): string {
  bytes[6] = bytes[6]! & 0x0f | 0x40;
  bytes[8] = bytes[8]! & 0x3f | 0x80;
  const hex = bytes.toHex();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function lengthOf(value: Value | undefined, least: number): number {
  const length = Number(value);
  if (Number.isInteger(length) && length >= least && length <= 256) return length;
  throw invalid(`a length must be a whole number from ${least} to 256`);
}

function always(value: Value): Expression {
  return () => value;
}

function fieldOf(name: string): Expression {
  if (name !== "DisplayName" && name !== "RoleName" && name !== "UserName") {
    throw invalid(`there is no field ${name.slice(0, 40)}`);
  }
  return ({ fields }) => fields[name];
}

function unquoted(text: string): string {
  return text[0] === "`" ? text.slice(1, -1) : text.slice(1, -1).replace(/\\(.)/g, "$1");
}

function invalid(reason: string): VaultError {
  return new VaultError("invalid_argument", `invalid username template: ${reason}`);
}
