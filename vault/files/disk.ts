/**
 * The two YAML files as files: digests, and replacement in one step.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Slices } from "../slices.ts";
import { syncFolder, writeAll } from "../storage/private_files.ts";

/** SHA-256 of a file's bytes in hex; null where there is no file. Reads in parts. */
export async function digestOf(path: string): Promise<string | null> {
  const hash = createHash("sha256");
  try {
    const file = await Deno.open(path);
    for await (const part of file.readable) hash.update(part);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  return hash.digest("hex");
}

/** A file written beside its destination (mode 0600, fsynced) and not yet in force. */
export interface PreparedFile {
  readonly digest: string;
  /** Puts it in place and makes that durable. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** Writes a text beside `path`, yielding between its parts. */
export async function prepareFile(path: string, parts: Iterable<string>): Promise<PreparedFile> {
  const temporary = `${path}.new`;
  const digest = await writeDurably(temporary, parts).catch(async (error) => {
    await removeQuietly(temporary);
    throw error;
  });
  return {
    digest,
    discard: () => removeQuietly(temporary),
    commit: async () => {
      await Deno.rename(temporary, path);
      await syncFolder(path.slice(0, path.lastIndexOf("/")) || "/");
    },
  };
}

async function writeDurably(path: string, parts: Iterable<string>): Promise<string> {
  const hash = createHash("sha256");
  const encoder = new TextEncoder();
  const slices = new Slices();
  await removeQuietly(path);
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  for (const part of parts) {
    const bytes = encoder.encode(part);
    hash.update(bytes);
    await writeAll(file, bytes);
    if (slices.spent) await slices.rest();
  }
  await file.sync();
  return hash.digest("hex");
}

/** Removes a temporary file of ours; that it isn't there is as good. */
async function removeQuietly(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
