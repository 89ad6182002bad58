/**
 * Numbers and lists on the command line.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/**
 * A parser for the value of an option that takes a whole number; its bounds are the server's business.
 *
 * @throws {VaultError} `usage`, from the parser.
 */
export function wholeNumber(option: string): (text: string) => number {
  return (text) => {
    if (/^-?[0-9]{1,15}$/.test(text)) return Number(text);
    throw new VaultError("usage", `${JSON.stringify(text.slice(0, 40))} is no whole number for ${option}`);
  };
}

/** Splits `a,b`; blanks around the commas don't count, and an empty text is an empty list. */
export function commaList(text: string): string[] {
  return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
}
