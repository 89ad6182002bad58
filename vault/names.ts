/**
 * The names of users and roles.
 *
 * @module
 */

import { VaultError } from "./errors.ts";

/** What a key of a mapping, or a field of a body, may look like to be shown. */
const LIKE_A_KEY = /^[a-z_]{1,31}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/**
 * Checks the name of a new user or role.
 *
 * @param what What is named, for the message: `user` or `role`.
 * @throws {VaultError} `invalid_argument`.
 */
export function assertName(what: string, name: string): void {
  if (NAME.test(name)) return;
  throw new VaultError("invalid_argument", `Invalid ${what} name ${quoteName(name)}`, {
    hint: "a name is 1 to 64 letters, digits, '.', '_', '@' or '-', and begins with a letter or digit",
  });
}

/** Whether a name has the form that new names must have. */
export function isName(name: string): boolean {
  return NAME.test(name);
}

/**
 * A name for messages: quoted, with control characters escaped, cut to a length that fits a log line. A token that came
 * in a name's place is not shown: messages are logged.
 */
export function quoteName(name: string): string {
  const shown = name.slice(0, 1000).replace(
    /(evt|adm|opr)_[0-9a-f]{8,}/gi,
    (token) => `${token.slice(0, 4).toLowerCase()}…`,
  );
  return JSON.stringify(shown.length > 80 ? `${shown.slice(0, 80)}…` : shown);
}

/**
 * An unknown key, to be put behind a word such as `field`: ` "name"`, or nothing where it doesn't look like a key. Where a
 * quote or a colon is missing, a secret stands in a key's place.
 */
export function quoteUnknownKey(key: string): string {
  return LIKE_A_KEY.test(key) ? ` ${quoteName(key)}` : "";
}
