/**
 * What the log may say of the inner cause of a failure: what it is and where it happened, and nothing that was asked.
 *
 * Its message is left out. V8 and Node quote the offending value in theirs, and here that value can be a token, a
 * password or a plaintext.
 *
 * @module
 */

import type { VaultError } from "./errors.ts";

/** The name, the code and the frames of a failure's cause, or of the failure where it has none. */
export function causeOf(failure: VaultError): Readonly<Record<string, unknown>> {
  const cause = failure.cause ?? failure;
  if (!(cause instanceof Error)) return { error: typeof cause };
  const code = (cause as { code?: unknown }).code;
  const frames = (cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)).map((line) => line.trim());
  return { error: cause.name, ...(typeof code === "string" && { code }), frames };
}
