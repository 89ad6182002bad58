/**
 * The two YAML files as files: digests, and replacement in one step.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { Slices } from "../slices.ts";
import { removeIfThere, syncFolder, writeAll } from "../storage/private_files.ts";

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

/** What a path held at a moment. */
export interface Snapshot {
  readonly digest: string;
  /** Changes with every write to the file and with every other file put in its place. */
  readonly stamp: string;
}

/** Digest and stamp of what is at a path; null where there is no file. */
export async function snapshotOf(path: string): Promise<Snapshot | null> {
  // The stamp first: a change while the digest is taken must show in it.
  const stamp = stampOf(path);
  const digest = await digestOf(path);
  return stamp === null || digest === null ? null : { digest, stamp };
}

function stampOf(path: string): string | null {
  try {
    const { ino, size, mtime, ctime } = Deno.statSync(path);
    return `${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** A file written beside its destination (mode 0600, fsynced) and not yet in force. */
export interface PreparedFile {
  readonly digest: string;
  /**
   * Puts it in place and makes that durable, unless something else is there by now than `replaced`: an edit saved in
   * the meantime must not be lost. Whether it was put there.
   */
  commit(replaced: Snapshot | null): Promise<boolean>;
  discard(): Promise<void>;
}

/** Writes a text beside `path`, yielding between its parts. */
export async function prepareFile(path: string, parts: Iterable<string>): Promise<PreparedFile> {
  const temporary = `${path}.new`;
  const digest = await writeDurably(temporary, parts).catch(async (error) => {
    await removeIfThere(temporary);
    throw error;
  });
  return {
    digest,
    discard: () => removeIfThere(temporary),
    commit: async (replaced) => {
      // Both at once: between them there is no turn in which this process could be held up.
      const isUnchanged = stampOf(path) === (replaced?.stamp ?? null);
      if (isUnchanged) Deno.renameSync(temporary, path);
      else await removeIfThere(temporary);
      await syncFolder(dirname(path));
      return isUnchanged;
    },
  };
}

async function writeDurably(path: string, parts: Iterable<string>): Promise<string> {
  const hash = createHash("sha256");
  const encoder = new TextEncoder();
  const slices = new Slices();
  await removeIfThere(path);
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
