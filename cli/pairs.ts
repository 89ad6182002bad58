/**
 * Options that take `NAME=VALUE` and may be given several times.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";

/**
 * A parser that collects the pairs of one option.
 *
 * @throws {VaultError} `usage`, from the parser.
 */
export function pairs(
  option: string,
  example: string,
): (pair: string, before: Readonly<Record<string, string>>) => Record<string, string> {
  return (pair, before) => {
    const at = pair.indexOf("=");
    if (at < 1) {
      throw new VaultError("usage", `${option} takes NAME=VALUE`, { hint: `such as ${option} ${example}` });
    }
    return { ...before, [pair.slice(0, at)]: pair.slice(at + 1) };
  };
}
