/**
 * The header that asks for a wrapped answer.
 *
 * @module
 */

import { parseDuration } from "./durations.ts";
import { HttpProblem } from "./problem.ts";

/**
 * Seconds that the wrapping token shall live; null where no wrapping is asked for.
 *
 * @throws {HttpProblem} 400 for a duration that is none: ignoring it would send a secret in the clear.
 */
export function wrapTtlOf(headers: Headers): number | null {
  const value = headers.get("x-vault-wrap-ttl");
  if (value === null || value === "") return null;
  const seconds = parseDuration(value);
  if (seconds !== undefined && seconds >= 0) return seconds === 0 ? null : seconds;
  throw new HttpProblem(400, ["error parsing X-Vault-Wrap-TTL header: expected a duration, such as 60s"]);
}
