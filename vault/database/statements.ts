/**
 * Statements that operators give: how they are taken apart, and what is put into them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VaultError } from "../errors.ts";

const MAX_STATEMENTS = 100;
const MAX_LENGTH = 65_536;

/** What stands for the variables of a statement; absent ones stay as they are. */
export interface StatementValues {
  readonly username?: string;
  readonly password?: string;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

/**
 * The statements in a field: an element may hold several, be a JSON array of them, or base64 of either.
 *
 * @throws {VaultError} `invalid_argument` where there are elements and nothing but blanks in them, or too much.
 */
export function statementsOf(given: readonly string[]): string[] {
  if (given.reduce((sum, one) => sum + one.length, 0) > MAX_LENGTH) throw invalid(`more than ${MAX_LENGTH} characters`);
  const elements = given.flatMap(decodedElement);
  const statements = elements.flatMap(splitStatements);
  if (statements.length > MAX_STATEMENTS) throw invalid(`more than ${MAX_STATEMENTS} statements`);
  if (elements.length > 0 && statements.length === 0) throw invalid("there is no statement in it");
  return statements;
}

/** Puts values in the place of `{{username}}`, `{{name}}`, `{{password}}` and `{{expiration}}`. */
export function filled(statements: readonly string[], { username, password, expiresAt }: StatementValues): string[] {
  const values: Readonly<Record<string, () => string | undefined>> = {
    name: () => username,
    username: () => username,
    password: () => password,
    expiration: () => expiresAt === undefined ? undefined : expirationOf(expiresAt),
  };
  return statements.map((statement) =>
    statement.replace(/\{\{(name|username|password|expiration)\}\}/g, (whole, name) => values[name]!() ?? whole)
  );
}

/**
 * What a statement may hold without its semicolon ending it: texts, names, dollar quotes, comments. What is not closed takes
 * the rest: looking for its end again at each next quote would take the square of the length.
 */
const PART = new RegExp(
  [
    /'(?:[^'\\]|\\[\s\S]|'')*(?:'|\\?$)/,
    /"(?:[^"]|"")*(?:"|$)/,
    /`[^`]*(?:`|$)/,
    // Within a name a dollar opens nothing.
    /[A-Za-z_][A-Za-z0-9_$]*/,
    /\$([A-Za-z_]*)\$[\s\S]*?(?:\$\1\$|$)/,
    /--[^\n]*/,
    /\/\*[\s\S]*?(?:\*\/|$)/,
    /[^;]/,
  ].map(({ source }) => source).join("|"),
  "gy",
);

/** Splits at semicolons, but at none inside quotes. */
export function splitStatements(text: string): string[] {
  const statements: string[] = [];
  let current = "";
  for (let at = 0; at < text.length;) {
    PART.lastIndex = at;
    const part = PART.exec(text)?.[0];
    if (part === undefined) {
      statements.push(current);
      current = "";
      at++;
    } else {
      current += part;
      at += part.length;
    }
  }
  return [...statements, current].map((one) => one.trim()).filter((one) => one !== "");
}

function decodedElement(element: string): string[] {
  const bare = element.trim();
  if (bare.startsWith("[")) return listOf(bare) ?? [element];
  if (bare.length < 8 || bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(bare)) return [element];
  const decoded = Buffer.from(bare, "base64").toString("utf8");
  return decoded.trim().startsWith("[") ? listOf(decoded) ?? [decoded] : [decoded];
}

function listOf(text: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The account outlives its lease by a little, so that no clock that goes ahead ends it early. */
const MARGIN_MS = 5000;

/** `2006-01-02 15:04:05-0700`, in UTC. */
function expirationOf(expiresAt: number): string {
  return new Date(expiresAt + MARGIN_MS).toISOString().replace("T", " ").replace(/\.[0-9]+Z$/, "+0000");
}

function invalid(reason: string): VaultError {
  return new VaultError("invalid_argument", `invalid statements: ${reason}`);
}
