/**
 * Variables that look like settings and are none.
 *
 * A key that is mistyped in the file stops the start. A variable can't: the environment is also filled by others, such as
 * Kubernetes, which names a service's addresses so. It is told instead, since what was meant (say
 * `RUNEVAULT_TLS_CLIENT_CA`) isn't in force.
 *
 * @module
 */

import type { Logger } from "../vault/mod.ts";
import { SERVE_OPTIONS } from "./config_options.ts";

/** What the other commands read. */
const OF_COMMANDS = [
  "TOKEN",
  "ADDR",
  "CACERT",
  "ALLOW_PLAINTEXT",
  "OPERATOR_TOKEN",
  "OPERATOR_TOKEN_FILE",
  "BACKUP_PASSPHRASE",
].map((name) => `RUNEVAULT_${name}`);

/** What Kubernetes adds to every container for a service called runevault, and what this project's own tests read. */
const OF_OTHERS = /^RUNEVAULT_(SERVICE_(HOST|PORT)|PORT($|_\d)|TEST_|BINARY$)/;

/** The names that nothing reads; a flag that counts once, from the command line, is read from no variable. */
export function unknownVariables(names: readonly string[]): string[] {
  const known = new Set([...SERVE_OPTIONS.filter(({ once }) => !once).map(({ env }) => env), ...OF_COMMANDS]);
  return names.filter((name) => name.startsWith("RUNEVAULT_") && !known.has(name) && !OF_OTHERS.test(name)).sort();
}

/** Tells each of them by name; the value may be a secret. */
export function tellUnknownVariables(logger: Logger, names: readonly string[]): void {
  for (const name of unknownVariables(names)) {
    logger.log("warn", "unknown_variable", { name, hint: "it sets nothing: see `runevault serve --help`" });
  }
}
