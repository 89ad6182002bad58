/**
 * The identity API: one pipeline that every request goes through, so that no operation can skip a step.
 *
 * read → find the route → know the caller → take a place in their window → ask the policies → coerce → handle → wrap.
 *
 * @module
 */

import { currentRequest, withinRequest } from "../../vault/audit/request.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import { type Reply, toResponse } from "./answer.ts";
import type { Access, ApiHandler, ApiParts, Peer, Progress } from "./api_parts.ts";
import { describeCaller, describeFailure, describeOperator, describeTarget } from "./audited.ts";
import { BodyReader } from "./body.ts";
import { failed } from "./failed_answer.ts";
import { runHandler } from "./handled_answer.ts";
import { helpOf } from "./help.ts";
import { type Incoming, readRequest } from "./incoming.ts";
import { chain, type Maybe } from "./maybe.ts";
import { assertRootNamespace, rootNamespaceOf } from "./namespaces.ts";
import { DENIED, HttpProblem, MISSING_TOKEN, wrapped } from "./problem.ts";
import type { Handler, Route } from "./route.ts";
import { wrapTtlOf } from "./wrap_ttl.ts";

/** Puts the API together. */
export function createIdentityApi(parts: ApiParts): ApiHandler {
  const bodies = new BodyReader();
  return (request, peer) => {
    const progress: Progress = { id: crypto.randomUUID(), startedAt: parts.monotonic() };
    const { id, startedAt } = progress;
    if (peer.operator !== undefined) progress.passedOnBy = currentRequest();
    try {
      const face = peer.face ?? "api";
      const traceparent = () => request.headers.get("traceparent");
      progress.audited = parts.audit.begin({ id, face, remoteAddress: peer.address, startedAt, traceparent });
    } catch (thrown) {
      return finish(failed(thrown, progress, parts), request, peer, progress, parts);
    }
    return withinRequest(progress.audited, () => handle(request, peer, progress, { bodies, parts }));
  };
}

function handle(request: Request, peer: Peer, progress: Progress, machinery: Machinery): Maybe<Response> {
  const { parts } = machinery;
  const replied = guardFailures(() => answer(request, peer, progress, machinery), progress, parts);
  return chain(replied, (reply) => {
    const { caller } = progress;
    const recorded = () =>
      chain(recordedOr(reply, request, progress, parts), (it) => finish(it, request, peer, progress, parts));
    if (!caller?.isLastUse) return recorded();
    // It is on disk already that the token is spent; what is left of it goes with its expiry.
    const failed = (error: unknown) => {
      parts.logger.log("warn", "spent_token_left", { request_id: progress.id, reason: String(error) });
      return recorded();
    };
    progress.audited!.goesOn = true;
    return parts.afterUse(caller).then(recorded, failed);
  });
}

/** The reply, once the request is recorded; else the refusal that takes its place. */
function recordedOr(reply: Reply, request: Request, progress: Progress, parts: ApiParts): Maybe<Reply> {
  const audited = progress.audited!;
  const refused = (thrown: unknown) => failed(thrown, progress, parts);
  if (audited.operation === "none") describeTarget(audited, request, undefined, parts.auditNames);
  try {
    const recorded = parts.audit.finish(audited, describeFailure(progress.failure, reply.status));
    return recorded instanceof Promise ? recorded.then(() => reply, refused) : reply;
  } catch (thrown) {
    return refused(thrown);
  }
}

/** Turns whatever fails, at once or later, into the answer that says so. */
function guardFailures(work: () => Maybe<Reply>, progress: Progress, parts: ApiParts): Maybe<Reply> {
  try {
    const replied = work();
    if (!(replied instanceof Promise)) return replied;
    return replied.catch((thrown: unknown) => failed(thrown, progress, parts));
  } catch (thrown) {
    return failed(thrown, progress, parts);
  }
}

interface Machinery {
  readonly bodies: BodyReader;
  readonly parts: ApiParts;
}

function answer(request: Request, peer: Peer, progress: Progress, machinery: Machinery): Maybe<Reply> {
  const { bodies, parts } = machinery;
  assertRootNamespace(request);
  return chain(readRequest(request, bodies), (incoming) => {
    progress.incoming = incoming;
    const target = progress.target = parts.router.find(incoming.path);
    describeTarget(progress.audited!, request, { incoming, target }, parts.auditNames);
    const wrapTtl = wrapTtlOf(request.headers);
    const route = target.match?.route;
    if (route?.isOpen || target.isBelowOpen && route === undefined) {
      return chain(open(request, peer, progress, parts, wrapTtl), (reply) => withoutBodyOfHead(reply, incoming));
    }
    // A token of limited use is counted before anybody knows what it may do.
    progress.audited!.goesOn = true;
    return chain(identify(request, peer, parts), (caller) => {
      progress.caller = caller;
      describeCaller(progress.audited!, caller);
      if (peer.operator !== undefined) describeOperator(progress.audited!, progress.passedOnBy);
      progress.audited!.goesOn = caller.isLastUse || wrapTtl !== null;
      if (peer.operator === undefined) parts.takePlace(caller);
      return guarded(request, peer, progress, parts, wrapTtl);
    });
  });
}

function withoutBodyOfHead(reply: Reply, { verb }: Incoming): Reply {
  return verb === "header" ? { ...reply, body: null } : reply;
}

/** Paths that need no token say what is wrong plainly. */
function open(
  request: Request,
  peer: Peer,
  progress: Progress,
  parts: ApiParts,
  wrapTtl: number | null,
): Maybe<Reply> {
  const { match } = progress.target!;
  const verb = progress.incoming!.verb === "header" ? "read" : progress.incoming!.verb;
  if (match === undefined) throw new HttpProblem(404, ["unsupported path"]);
  if (verb === "help") return { status: 200, body: JSON.stringify(helpOf(match.route)) };
  const handler = handlerOf(match.route, verb);
  if (handler === undefined) throw new HttpProblem(405, ["unsupported operation"]);
  const operation = verb === "write" ? "update" : verb;
  return runHandler(handler, { request, peer, progress, parts, operation, hasSudo: false, wrapTtl });
}

function guarded(
  request: Request,
  peer: Peer,
  progress: Progress,
  parts: ApiParts,
  wrapTtl: number | null,
): Maybe<Reply> {
  const { path, verb, fields } = progress.incoming!;
  const { mount, match, canonicalPath } = progress.target!;
  const operation = operationOf(progress);
  const access = {
    path,
    canonicalPath,
    operation,
    parameters: fields,
    wrapTtlSeconds: wrapTtl,
    needsSudo: match?.route.needsSudo ?? false,
  };
  const decision = parts.decide(progress.caller!, access);
  if (!decision.allowed) {
    parts.explainDenial(progress.caller!, access, progress.id);
    throw DENIED;
  }
  if (mount === undefined) throw noHandler(path);
  if (match === undefined) throw new HttpProblem(404, [wrapped("unsupported path")]);
  if (operation === "help") return { status: 200, body: JSON.stringify(helpOf(match.route)) };
  const handler = operation === "header" ? undefined : handlerOf(match.route, verb);
  if (handler === undefined || operation === "header") throw new HttpProblem(405, [wrapped("unsupported operation")]);
  return runHandler(handler, { request, peer, progress, parts, operation, hasSudo: decision.hasSudo, wrapTtl });
}

function identify(request: Request, peer: Peer, parts: ApiParts): Maybe<ApiCaller> {
  if (peer.operator !== undefined) return peer.operator;
  const token = presentedToken(request.headers);
  if (token === "") throw MISSING_TOKEN;
  return parts.authenticate(token, peer.address);
}

/** `X-Vault-Token` wins; the scheme of the other must be exactly `Bearer`. */
function presentedToken(headers: Headers): string {
  const own = headers.get("x-vault-token");
  if (own !== null && own !== "") return own;
  const authorization = headers.get("authorization") ?? "";
  return authorization.startsWith("Bearer ") ? authorization.slice(7) : "";
}

function operationOf({ incoming, target }: Progress): Access["operation"] {
  const { verb } = incoming!;
  if (verb !== "write") return verb;
  const { match, mount } = target!;
  const exists = match?.route.exists;
  return exists === undefined || exists(match!.params, mount!) ? "update" : "create";
}

function handlerOf(route: Route, verb: Incoming["verb"]): Handler | undefined {
  return verb === "header" || verb === "help" ? undefined : route[verb];
}

function noHandler(path: string): HttpProblem {
  const at = path.indexOf("/");
  const mount = at === -1 ? path : path.slice(0, at + 1);
  return new HttpProblem(404, [`no handler for route ${JSON.stringify(mount)}. route entry not found.`]);
}

/** Adds what every answer has, and counts it. */
function finish(reply: Reply, request: Request, peer: Peer, progress: Progress, parts: ApiParts): Response {
  const { target, incoming, caller } = progress;
  parts.observe({
    route: target?.match === undefined ? "none" : `${target.mount!.type}/${target.match.route.path}`,
    operation: incoming?.verb ?? "none",
    user: caller?.entity?.record.name ?? "unknown",
    status: reply.status,
    seconds: (parts.monotonic() - progress.startedAt) / 1000,
  });
  const namespace = rootNamespaceOf(request);
  return toResponse(reply, {
    "x-request-id": progress.id,
    ...(namespace === null ? {} : { "x-vault-namespace": namespace }),
    ...(peer.isTls ? { "strict-transport-security": "max-age=31536000; includeSubDomains" } : {}),
  });
}
