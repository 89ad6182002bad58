/**
 * Looks for secrets in whatever a test can get hold of: files, logs, answers.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Secrets by a name that a failing test may print. Text counts as UTF-8. */
export type Secrets = Readonly<Record<string, string | Uint8Array>>;

/** Walks through a folder that keeps changing, before its test fails. */
const WALKS = 20;
const ESCAPED_IN_URLS = /[^A-Za-z0-9._~-]/g;

/** Where a secret was found, such as `alice's token as hex in vault-tokens.yml`; empty when nowhere. */
export function findTraces(where: string, content: string | Uint8Array, secrets: Secrets): string[] {
  const text = Buffer.from(content as Uint8Array).toString("latin1");
  const found = new Set<string>();
  const forms = formsByBeginning(secrets);
  for (let at = 0; at + BEGINNING <= text.length; at++) {
    for (const { name, form, value } of forms.get(text.slice(at, at + BEGINNING)) ?? []) {
      if (text.startsWith(value, at)) found.add(`${name} as ${form} in ${where}`);
    }
  }
  return [...found];
}

interface Form {
  readonly name: string;
  readonly form: string;
  readonly value: string;
}

/** Characters by which forms are told apart first: contents are gone through once, however many secrets there are. */
const BEGINNING = 5;
/** A test may add secrets as it goes, so what was prepared counts for as many as there were. */
const prepared = new WeakMap<Secrets, { count: number; forms: Map<string, Form[]> }>();

function formsByBeginning(secrets: Secrets): Map<string, Form[]> {
  const count = Object.keys(secrets).length;
  const known = prepared.get(secrets);
  if (known?.count === count) return known.forms;
  const forms = new Map<string, Form[]>();
  for (const [name, secret] of Object.entries(secrets)) {
    for (const [form, bytes] of Object.entries(formsOf(Buffer.from(secret as Uint8Array)))) {
      const value = bytes.toString("latin1");
      const beginning = value.slice(0, BEGINNING);
      forms.set(beginning, [...forms.get(beginning) ?? [], { name, form, value }]);
    }
  }
  prepared.set(secrets, { count, forms });
  return forms;
}

/**
 * The same for every file below a folder, and for the names of the files. A running server replaces files while they are
 * read: where one has gone, the whole folder is read again, so that nothing is passed over under its new name.
 */
export async function findTracesBelow(
  folder: string,
  secrets: Secrets,
  except: readonly string[] = [],
): Promise<string[]> {
  for (let walk = 1;; walk++) {
    try {
      return await findTracesInWalk(folder, secrets, except);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound) || walk === WALKS) throw cause;
    }
  }
}

async function findTracesInWalk(folder: string, secrets: Secrets, except: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (except.includes(name)) continue;
    found.push(...findTraces(`the name of ${path}`, name, secrets));
    if (isDirectory) found.push(...await findTracesInWalk(path, secrets, except));
    else if (isFile) found.push(...findTraces(path, await Deno.readFile(path), secrets));
  }
  return found;
}

/** The forms in which bytes may have been written. Shorter than six bytes, they may stand anywhere by chance. */
function formsOf(secret: Buffer): Record<string, Buffer> {
  if (secret.length < 6) throw new RangeError("Too short to be told from chance");
  const text = secret.toString("latin1");
  const forms: Record<string, string> = {
    hex: secret.toString("hex"),
    "upper-case hex": secret.toString("hex").toUpperCase(),
    "URL form": text.replace(
      ESCAPED_IN_URLS,
      (byte) => `%${Buffer.from(byte, "latin1").toString("hex").toUpperCase()}`,
    ),
    "lower-case URL form": text.replace(ESCAPED_IN_URLS, (byte) => `%${Buffer.from(byte, "latin1").toString("hex")}`),
    "a list of numbers": [...secret].join(","),
  };
  for (const offset of [0, 1, 2]) {
    const base64 = base64Core(secret, offset);
    forms[`base64 at offset ${offset}`] = base64;
    forms[`base64url at offset ${offset}`] = base64.replaceAll("+", "-").replaceAll("/", "_");
  }
  const differing = Object.entries(forms).filter(([, value]) => value !== text);
  const asBytes = differing.map(([form, value]) => [form, Buffer.from(value, "latin1")] as const);
  return { plain: secret, ...Object.fromEntries(asBytes) };
}

/** The characters of base64 that these bytes alone decide when `offset` other bytes stand before them. */
function base64Core(secret: Buffer, offset: number): string {
  const base64 = Buffer.concat([Buffer.alloc(offset), secret]).toString("base64");
  return base64.slice(Math.ceil(offset * 8 / 6), Math.floor((offset + secret.length) * 8 / 6));
}
