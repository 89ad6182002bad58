/**
 * The answers to requests that failed.
 *
 * @module
 */

import { causeOf } from "../../vault/cause.ts";
import { asVaultError } from "../../vault/errors.ts";
import type { Logger } from "../../vault/ports.ts";
import type { Reply } from "./answer.ts";
import type { ApiParts, Progress } from "./api_parts.ts";
import { HttpProblem, problemOf, statusOf } from "./problem.ts";

/** The answer to what was thrown. What was leased for the answer that nobody gets now is taken back. */
export function failed(thrown: unknown, progress: Progress, { logger, takeBack }: ApiParts): Reply {
  progress.failure = thrown;
  if (progress.leaseId !== undefined) void takeBack(progress.leaseId);
  const problem = thrown instanceof HttpProblem ? thrown : translated(thrown, progress, logger);
  const data = problem.status === 400 ? dataOf(thrown) : undefined;
  const body = data === undefined ? problem.body : JSON.stringify({ errors: problem.errors, data });
  return { status: problem.status, body: progress.incoming?.verb === "header" ? null : body };
}

/** What stands beside `errors`, such as the aliases in the way of a merge. */
function dataOf(thrown: unknown): unknown {
  const error = asVaultError(thrown);
  return error.data["response"];
}

function translated(thrown: unknown, { id, target }: Progress, logger: Logger): HttpProblem {
  const error = asVaultError(thrown);
  if (statusOf(error.kind) >= 500) {
    logger.log("error", "api_request_failed", {
      request_id: id,
      route: target?.match?.route.path ?? "none",
      kind: error.kind,
      message: error.message,
      ...causeOf(error),
    });
  }
  return problemOf(error, id);
}
