/**
 * Has a request handled, and makes the reply of what the handler answers.
 *
 * @module
 */

import { envelopeOf, rawBody, type Reply } from "./answer.ts";
import type { ApiParts, Peer, Progress } from "./api_parts.ts";
import { describeMade } from "./audited.ts";
import { chain, type Maybe } from "./maybe.ts";
import { HttpProblem } from "./problem.ts";
import { HandledRequest } from "./request.ts";
import type { ApiAnswer, Handler, OperationName, RawAnswer, Route } from "./route.ts";

/** A request whose handler was found and may run. */
export interface AllowedRequest {
  readonly request: Request;
  readonly peer: Peer;
  readonly progress: Progress;
  readonly parts: ApiParts;
  readonly operation: OperationName;
  readonly hasSudo: boolean;
  readonly wrapTtl: number | null;
}

/** Runs the handler; `wrapTtl`, in seconds, wraps what it answers. */
export function runHandler(
  handler: Handler,
  { request, peer, progress, parts, operation, hasSudo, wrapTtl }: AllowedRequest,
): Maybe<Reply> {
  const { mount, match } = progress.target!;
  const handled = new HandledRequest(progress.incoming!, {
    id: progress.id,
    mount: mount!,
    match: match!,
    operation,
    caller: progress.caller ?? null,
    hasSudo,
    remoteAddress: peer.address,
    http: request,
  });
  return chain(handler(handled), (result) => {
    describeMade(progress.audited!, result);
    if (result !== null && "lease" in result && result.lease?.isNew) progress.leaseId = result.lease.id;
    if (result === null) return nothing(operation, handled, progress);
    handled.warnOfIgnored();
    const isRaw = "raw" in result;
    const body = isRaw ? rawBody(result) : JSON.stringify(envelopeOf(result, aroundOf(handled, progress)));
    if (wrapTtl === null || isUnwrappable(match!.route)) return plain(result, body);
    return wrap(body ?? "null", result, wrapTtl, progress, parts);
  });
}

function aroundOf({ warnings, mount }: HandledRequest, { id }: Progress) {
  return { requestId: id, mountType: mount.type, warnings };
}

function plain(result: Exclude<ApiAnswer, null>, body: string | null): Reply {
  const headers = "headers" in result ? (result as RawAnswer).headers : undefined;
  return { status: result.status ?? 200, body, ...(headers === undefined ? {} : { headers }) };
}

/** What a readiness probe reads is never wrapped. */
function isUnwrappable(route: Route): boolean {
  return route.path === "health";
}

async function wrap(
  body: string,
  result: Exclude<ApiAnswer, null>,
  ttlSeconds: number,
  progress: Progress,
  parts: ApiParts,
): Promise<Reply> {
  const wrappedAccessor = "auth" in result ? result.auth?.accessor : undefined;
  const { path } = progress.incoming!;
  progress.audited!.goesOn = progress.caller?.isLastUse ?? false;
  const info = await parts.wrap({ body, ttlSeconds, path, caller: progress.caller ?? null, wrappedAccessor });
  const envelope = envelopeOf({}, { requestId: "", mountType: "", warnings: [] });
  return { status: 200, body: JSON.stringify({ ...envelope, wrap_info: info }) };
}

function nothing(operation: OperationName, handled: HandledRequest, progress: Progress): Reply {
  if (operation === "read" || operation === "list") throw new HttpProblem(404, []);
  if (handled.warnings.length === 0) return { status: 204, body: null };
  handled.warnOfIgnored();
  return { status: 200, body: JSON.stringify(envelopeOf({}, aroundOf(handled, progress))) };
}
