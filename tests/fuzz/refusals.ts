/**
 * How a parser may refuse: with a `VaultError` of an expected kind, in few words, without a secret in them.
 *
 * @module
 */

import { VaultError, type VaultErrorKind } from "../../vault/errors.ts";

/** Secrets that inputs carry where a secret belongs. Whoever quotes 12 characters of one has quoted it. */
export const PLANTED = {
  userToken: "evt_7d1f0c93e64ab258f1709be3a2c64d58",
  adminToken: "adm_c31e7b5a90d248f6e1b7403dca58f96217be04c3d8a95f60b21c74e9835ad60f",
  teamSecret: "Zq7vMx2LtR9wKc4NpY6sHb3JdF8gVu",
  apiKey: "ek-Wn5XrT8bQe3ZmLk7PdHs2YvCg9J",
} as const;

const WINDOW = 12;
/** A message is a line in a log and on a terminal. */
const MAX_MESSAGE_CHARS = 1500;

/**
 * What must not be said. Of a user token its beginning: one that an edit took the `evt_` off is no token any more, and
 * names, which may be quoted, can be any text.
 */
const WINDOWS: readonly string[] = Object.entries(PLANTED).flatMap(([name, secret]) => {
  const windows = Array.from({ length: secret.length - WINDOW + 1 }, (_, at) => secret.slice(at, at + WINDOW));
  return name === "userToken" ? windows.slice(0, 1) : windows;
});

/** A broken contract; what it says goes into the report of a run. */
export class Finding extends Error {
  override readonly name = "Finding";
}

/** Throws a {@link Finding} unless `holds`. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Finding(what);
}

/**
 * Runs a parser.
 *
 * @returns Its result, or undefined where it refused as it may.
 * @throws {Finding} for any other end.
 */
export function parseOrRefuse<T>(kinds: readonly VaultErrorKind[], parse: () => T): T | undefined {
  try {
    return parse();
  } catch (thrown) {
    assertRefusal(thrown, kinds);
    return undefined;
  }
}

/** Throws a {@link Finding} unless what was thrown is a refusal of one of these kinds that shows no secret. */
export function assertRefusal(thrown: unknown, kinds: readonly VaultErrorKind[]): asserts thrown is VaultError {
  if (thrown instanceof Finding) throw thrown;
  // Only then: what describes an error writes out its stack, which costs more than most parsers.
  if (!(thrown instanceof VaultError)) throw new Finding(`threw what is no VaultError: ${describe(thrown)}`);
  must(kinds.includes(thrown.kind), `refused as ${thrown.kind}: ${thrown.message}`);
  must(thrown.message.length <= MAX_MESSAGE_CHARS, `the message has ${thrown.message.length} characters`);
  assertShowsNoSecret("the refusal", `${thrown.message}\n${thrown.hint ?? ""}\n${JSON.stringify(thrown.data)}`);
}

/** Throws a {@link Finding} where a text holds part of a planted secret. */
export function assertShowsNoSecret(what: string, text: string): void {
  const isQuoted = WINDOWS.some((window) => text.includes(window));
  if (isQuoted) throw new Finding(`${what} quotes a secret: ${text.slice(0, 300)}`);
}

/** Throws a {@link Finding} where a text holds a part of another one, `window` characters of it in a row. */
export function assertQuotesNothingOf(secret: string, window: number, what: string, text: string): void {
  for (let at = 0; at + window <= text.length; at++) {
    must(!secret.includes(text.slice(at, at + window)), `${what} quotes the input: ${text.slice(0, 300)}`);
  }
}

/** What was thrown, for a report. */
export function describe(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}\n${thrown.stack ?? ""}` : String(thrown);
}
