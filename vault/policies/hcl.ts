/**
 * Reading HCL 1, as much of it as policies are written in: blocks, assignments, strings with escapes, heredocs, numbers,
 * booleans, lists, objects and comments.
 *
 * @module
 */

/** A value. */
export type HclValue = string | number | boolean | readonly HclValue[] | HclBody;

/** One assignment (`key = value`) or block (`key "label" { … }`). */
export interface HclItem {
  readonly keys: readonly string[];
  readonly value: HclValue;
  readonly line: number;
}

/** What stands between braces, or in a whole file; a key may stand several times. */
export class HclBody {
  constructor(readonly items: readonly HclItem[]) {}
}

/** Where a text stops being HCL. */
export class HclProblem extends Error {
  constructor(readonly reason: string, readonly line: number, readonly column: number) {
    super(`${reason} at line ${line}, column ${column}`);
  }
}

const MAX_DEPTH = 16;
const NUMBER = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_.-]*/y;
const ESCAPES = new Map(
  Object.entries({ n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", '"': '"', "\\": "\\", "/": "/" }),
);

/**
 * Parses a text.
 *
 * @throws {HclProblem}
 */
export function parseHcl(text: string): HclBody {
  return new Reader(text).file();
}

/**
 * Parses a text that is one object in braces, as JSON is.
 *
 * @throws {HclProblem}
 */
export function parseHclObject(text: string): HclBody {
  return new Reader(text).object();
}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #counted = 0;
  #lines = 1;

  constructor(text: string) {
    this.#text = text;
  }

  file(): HclBody {
    const items = this.#items(undefined);
    return new HclBody(items);
  }

  object(): HclBody {
    this.#skipSpace(true);
    if (this.#text[this.#at] !== "{") throw this.#problem("expected an object");
    return this.#value() as HclBody;
  }

  #items(end: "}" | undefined): HclItem[] {
    const items: HclItem[] = [];
    for (;;) {
      this.#skipSpace(true);
      if (this.#at >= this.#text.length) {
        if (end === undefined) return items;
        throw this.#problem("a block isn't closed");
      }
      if (end !== undefined && this.#take(end)) return items;
      items.push(this.#item());
      this.#skipSpace(false);
      // Objects may have commas between their members.
      if (end !== undefined) this.#take(",");
    }
  }

  #item(): HclItem {
    const line = this.#line();
    const keys = [this.#key()];
    for (;;) {
      this.#skipSpace(true);
      const char = this.#text[this.#at];
      if (char === "=" || char === ":") {
        this.#at++;
        this.#skipSpace(true);
        return { keys, value: this.#value(), line };
      }
      if (char === "{") return { keys, value: this.#value(), line };
      if (char !== '"' && !this.#looksLikeName()) throw this.#problem("expected '=' or '{'");
      keys.push(this.#key());
    }
  }

  #key(): string {
    if (this.#text[this.#at] === '"') return this.#string();
    const name = this.#match(IDENTIFIER);
    if (name === undefined) throw this.#problem("expected a name");
    return name;
  }

  #value(): HclValue {
    if (++this.#depth > MAX_DEPTH) throw this.#problem("nested too deep");
    const value = this.#bareValue();
    this.#depth--;
    return value;
  }

  #bareValue(): HclValue {
    const char = this.#text[this.#at];
    if (char === '"') return this.#string();
    if (char === "[") return this.#list();
    if (this.#take("{")) return new HclBody(this.#items("}"));
    if (this.#text.startsWith("<<", this.#at)) return this.#heredoc();
    const number = this.#match(NUMBER);
    if (number !== undefined) return Number(number);
    const word = this.#match(IDENTIFIER);
    if (word === "true" || word === "false") return word === "true";
    throw this.#problem(word === "null" ? "null has no meaning in a policy" : "expected a value");
  }

  #list(): HclValue[] {
    this.#at++;
    const values: HclValue[] = [];
    for (;;) {
      this.#skipSpace(true);
      if (this.#take("]")) return values;
      values.push(this.#value());
      this.#skipSpace(true);
      if (this.#take("]")) return values;
      if (!this.#take(",")) throw this.#problem("expected ',' or ']'");
    }
  }

  #string(): string {
    let text = "";
    for (this.#at++;; this.#at++) {
      const char = this.#text[this.#at];
      if (char === undefined || char === "\n") throw this.#problem("a string isn't closed");
      if (char === '"') break;
      text += char === "\\" ? this.#escape() : char;
    }
    this.#at++;
    return text;
  }

  #escape(): string {
    const char = this.#text[++this.#at] ?? "";
    if (char === "u") {
      const hex = this.#text.slice(this.#at + 1, this.#at + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.#problem("a bad escape");
      this.#at += 4;
      return String.fromCharCode(parseInt(hex, 16));
    }
    const plain = ESCAPES.get(char);
    if (plain === undefined) throw this.#problem("a bad escape");
    return plain;
  }

  #heredoc(): string {
    const opening = /<<(-?)([A-Za-z0-9_]+)[ \t]*\r?\n/y;
    opening.lastIndex = this.#at;
    const found = opening.exec(this.#text);
    if (found === null) throw this.#problem("a bad heredoc");
    const [, dash, mark] = found;
    const closing = new RegExp(`^[ \\t]*${mark}[ \\t]*\\r?$`, "gm");
    closing.lastIndex = opening.lastIndex;
    const end = closing.exec(this.#text);
    if (end === null) throw this.#problem("a heredoc isn't closed");
    const body = this.#text.slice(opening.lastIndex, end.index);
    this.#at = end.index + end[0].length;
    return dash === "" ? body : unindented(body);
  }

  /** Spaces and comments; lines too where `lines`. Comments reach to the end of their line. */
  #skipSpace(lines: boolean): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === " " || char === "\t" || char === "\r" || (char === "\n" && lines)) this.#at++;
      else if (char === "#" || this.#text.startsWith("//", this.#at)) this.#skipTo("\n");
      else if (this.#text.startsWith("/*", this.#at)) this.#skipBlockComment();
      else return;
    }
  }

  #skipTo(end: string): void {
    const at = this.#text.indexOf(end, this.#at);
    this.#at = at === -1 ? this.#text.length : at;
  }

  #skipBlockComment(): void {
    const end = this.#text.indexOf("*/", this.#at + 2);
    if (end === -1) throw this.#problem("a comment isn't closed");
    this.#at = end + 2;
  }

  #looksLikeName(): boolean {
    return /[A-Za-z_]/.test(this.#text[this.#at] ?? "");
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  /** Counts on from where it last looked: reading only goes forward. */
  #line(): number {
    for (; this.#counted < this.#at; this.#counted++) if (this.#text[this.#counted] === "\n") this.#lines++;
    return this.#lines;
  }

  #problem(reason: string): HclProblem {
    const column = this.#at - this.#text.lastIndexOf("\n", this.#at - 1);
    return new HclProblem(reason, this.#line(), column);
  }
}

function unindented(body: string): string {
  const lines = body.split("\n");
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length);
  const least = Math.min(...indents, Infinity);
  return lines.map((line) => line.slice(Number.isFinite(least) ? least : 0)).join("\n");
}
