/**
 * What leases of accounts are called.
 *
 * @module
 */

import type { RandomSource } from "../ports.ts";
import type { MountRecord } from "../storage/identity_records.ts";
import { randomText } from "./random_text.ts";

const RANDOM_CHARACTERS = 24;

/** An id for a new lease: the path that it was asked for at, and something that nobody guesses. */
export function leaseIdOf({ path }: MountRecord, name: string, random: RandomSource): string {
  return `${path}creds/${name}/${randomText(random, RANDOM_CHARACTERS)}`;
}
