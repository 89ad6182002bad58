/**
 * What an examination found.
 *
 * @module
 */

import { asVaultError } from "../../vault/mod.ts";

/** `ok`: looked at, and well. `warning`: to be seen to. `problem`: to be mended. */
export type FindingLevel = "ok" | "warning" | "problem";

/** One finding, with what to do about it. */
export interface Finding {
  /** What was looked at, such as `disk`. */
  readonly check: string;
  readonly level: FindingLevel;
  readonly message: string;
  /** Null where nothing is to be done. */
  readonly remedy: string | null;
}

/** Nothing is wrong. */
export function ok(check: string, message: string): Finding {
  return { check, level: "ok", message, remedy: null };
}

/** Something to be seen to. */
export function warning(check: string, message: string, remedy: string): Finding {
  return { check, level: "warning", message, remedy };
}

/** Something to be mended. */
export function problem(check: string, message: string, remedy: string): Finding {
  return { check, level: "problem", message, remedy };
}

/** Runs a check; what it throws is what it found. */
export async function examine(check: string, work: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await work();
  } catch (thrown) {
    const { message, hint, cause } = asVaultError(thrown);
    const said = thrown === asVaultError(thrown) ? message : String(cause instanceof Error ? cause.message : cause);
    return [problem(check, said, hint ?? "run this as the user that the server runs as, or with sudo")];
  }
}
