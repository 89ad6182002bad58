/**
 * Files with text that commands are given, or standard input in their place.
 *
 * @module
 */

import { readBounded } from "../admin/client.ts";
import { VaultError } from "../vault/errors.ts";
import type { Io } from "./io.ts";

/**
 * The text of a file; `-` is standard input, of which no more than `maxBytes` are read.
 *
 * @throws {VaultError} `invalid_argument` for a file that can't be read.
 */
export async function readTextFile(io: Io, file: string, maxBytes: number): Promise<string> {
  if (file === "-") return await readBounded(new Response(io.stdin), maxBytes);
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `${file} can't be read: ${why}`, { cause });
  }
}
