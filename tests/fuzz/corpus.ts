/**
 * The corpus: inputs worth keeping, above all each one that ever broke a parser. The short form replays them all.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { FuzzTarget } from "./target.ts";

const FOLDER = new URL("./corpus/", import.meta.url);
const EXTENSION = { bytes: ".bin", json: ".json" } as const;

/** A kept input. */
export interface CorpusEntry {
  readonly file: string;
  readonly input: unknown;
}

/** The kept inputs of a target, by file name. A file of another form is a mistake and throws. */
export async function readCorpus(target: FuzzTarget): Promise<CorpusEntry[]> {
  const folder = folderOf(target);
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) names.push(entry.name);
  const entries = names.sort().map(async (file) => {
    if (!file.endsWith(EXTENSION[target.form])) throw new Error(`${target.name}/${file} is no input of this target`);
    return { file, input: fromBytes(target, await Deno.readFile(new URL(file, folder))) };
  });
  return await Promise.all(entries);
}

/** Keeps an input; returns the file's name. */
export async function keepInput(target: FuzzTarget, input: unknown): Promise<string> {
  const bytes = toBytes(target, input);
  const digest = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  const name = `found_${digest}${EXTENSION[target.form]}`;
  await Deno.mkdir(folderOf(target), { recursive: true });
  await Deno.writeFile(new URL(name, folderOf(target)), bytes);
  return name;
}

/** An input as the bytes of its file. */
export function toBytes({ form }: FuzzTarget, input: unknown): Uint8Array {
  return form === "bytes" ? input as Uint8Array : new TextEncoder().encode(`${JSON.stringify(input, null, 1)}\n`);
}

/** An input out of the bytes of its file. */
function fromBytes({ form }: FuzzTarget, bytes: Uint8Array): unknown {
  return form === "bytes" ? bytes : JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

function folderOf({ name }: FuzzTarget): URL {
  return new URL(`${name}/`, FOLDER);
}
