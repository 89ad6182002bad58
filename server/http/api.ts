/**
 * The identity API: one pipeline that every request goes through, so that no operation can skip a step.
 *
 * read → find the route → know the caller → take a place in their window → ask the policies → coerce → handle → wrap.
 *
 * @module
 */

import { asVaultError } from "../../vault/errors.ts";
import type { AuditFace } from "../../vault/audit/entry.ts";
import { type AuditedRequest, currentRequest, withinRequest } from "../../vault/audit/request.ts";
import type { Audit } from "../../vault/audit/trail.ts";
import type { Logger } from "../../vault/ports.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import { envelopeOf, rawBody, type Reply, toResponse } from "./answer.ts";
import {
  type AuditNames,
  describeCaller,
  describeFailure,
  describeMade,
  describeOperator,
  describeTarget,
} from "./audited.ts";
import { BodyReader } from "./body.ts";
import { helpOf } from "./help.ts";
import { type Incoming, readRequest } from "./incoming.ts";
import { chain, type Maybe } from "./maybe.ts";
import { DENIED, HttpProblem, MISSING_TOKEN, problemOf, statusOf, wrapped } from "./problem.ts";
import { HandledRequest } from "./request.ts";
import type { ApiAnswer, Handler, OperationName, RawAnswer, Route } from "./route.ts";
import type { Router, Target } from "./router.ts";
import { wrapTtlOf } from "./wrap_ttl.ts";

/** What is asked of the policies. */
export interface Access {
  readonly path: string;
  /** The same path as it is stored, where it is spelled otherwise; it must be allowed as well. */
  readonly canonicalPath: string | undefined;
  readonly operation: OperationName | "header" | "help";
  readonly parameters: ReadonlyMap<string, unknown>;
  readonly wrapTtlSeconds: number | null;
  readonly needsSudo: boolean;
}

/** What the policies say. */
export interface Decision {
  readonly allowed: boolean;
  readonly hasSudo: boolean;
}

/** What a wrapped answer is replaced by. */
export interface WrapInfo {
  readonly token: string;
  readonly accessor: string;
  readonly ttl: number;
  readonly creation_time: string;
  readonly creation_path: string;
  readonly wrapped_accessor?: string;
}

/** An answer to be wrapped. */
export interface Wrapping {
  readonly body: string;
  readonly ttlSeconds: number;
  readonly path: string;
  readonly caller: ApiCaller | null;
  readonly wrappedAccessor: string | undefined;
}

/** One finished request, for the metrics. */
export interface FinishedRequest {
  /** The mount's type and the route's template; `none` where nothing matched. */
  readonly route: string;
  readonly operation: string;
  readonly user: string;
  readonly status: number;
  readonly seconds: number;
}

/** What the API is made of. */
export interface ApiParts {
  readonly router: Router;
  readonly logger: Logger;
  readonly audit: Audit;
  readonly auditNames: AuditNames;
  /** @throws {VaultError} `token_invalid`. */
  authenticate(token: string, remoteAddress: string): ApiCaller | Promise<ApiCaller>;
  /** Counts a request against the caller's window; `rate_limited`. */
  takePlace(caller: ApiCaller): void;
  /** Ends a token whose last use this was; called when the answer is ready, however it came out. */
  afterUse(caller: ApiCaller): Promise<void>;
  decide(caller: ApiCaller, access: Access): Decision;
  /** Writes why a request was denied to the log; the wire never says. */
  explainDenial(caller: ApiCaller, access: Access, requestId: string): void;
  wrap(wrapping: Wrapping): Promise<WrapInfo>;
  /** Ends what was leased for an answer that nobody gets; never rejects. */
  takeBack(leaseId: string): Promise<void>;
  observe(finished: FinishedRequest): void;
  monotonic(): number;
}

/** Where a request came from. */
export interface Peer {
  /** Without the port. */
  readonly address: string;
  /** Whether the connection is encrypted. */
  readonly isTls: boolean;
  /** An operator who came through the admin API; nobody's token is looked at then. */
  readonly operator?: ApiCaller;
  /** The door that it came through; absent: the API's own. */
  readonly face?: AuditFace;
}

/** Answers one request, at once where nothing has to be waited for. Never throws or rejects. */
export type ApiHandler = (request: Request, peer: Peer) => Maybe<Response>;

/** A request on its way, as far as it has come. */
interface Progress {
  readonly id: string;
  readonly startedAt: number;
  audited?: AuditedRequest;
  /** The request of the admin API that handed this one on. */
  passedOnBy?: AuditedRequest | undefined;
  incoming?: Incoming;
  target?: Target;
  caller?: ApiCaller;
  /** What was leased for the answer. */
  leaseId?: string | undefined;
  /** Why it was not answered as it asked. */
  failure?: unknown;
}

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
  return run(handler, { request, peer, progress, parts, operation, hasSudo: false, wrapTtl });
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
  return run(handler, { request, peer, progress, parts, operation, hasSudo: decision.hasSudo, wrapTtl });
}

interface Run {
  readonly request: Request;
  readonly peer: Peer;
  readonly progress: Progress;
  readonly parts: ApiParts;
  readonly operation: OperationName;
  readonly hasSudo: boolean;
  readonly wrapTtl: number | null;
}

function run(handler: Handler, { request, peer, progress, parts, operation, hasSudo, wrapTtl }: Run): Maybe<Reply> {
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

const ROOT_NAMESPACES = new Set(["", "/", "root", "root/"]);

/** There is one namespace: a client that asks for another must not be answered from this one. */
function assertRootNamespace({ headers, url }: Request): void {
  const namespace = headers.get("x-vault-namespace");
  if (namespace === null || ROOT_NAMESPACES.has(namespace)) return;
  const { pathname } = new URL(url);
  // What a client asks before anything else is the same for whatever namespace it was told to use.
  if (pathname === "/v1/sys/seal-status") return;
  if (pathname === "/v1/sys/health") throw new HttpProblem(400, ["operation unavailable in namespaces"]);
  throw new HttpProblem(404, ["namespace not found"]);
}

function failed(thrown: unknown, progress: Progress, { logger, takeBack }: ApiParts): Reply {
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
    const { cause } = error;
    logger.log("error", "api_request_failed", {
      request_id: id,
      route: target?.match?.route.path ?? "none",
      kind: error.kind,
      message: error.message,
      ...(cause instanceof Error ? { cause: `${cause.name}: ${cause.message}`, cause_stack: cause.stack } : {}),
    });
  }
  return problemOf(error, id);
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
  const namespace = request.headers.get("x-vault-namespace");
  return toResponse(reply, {
    "x-request-id": progress.id,
    ...(namespace !== null && ROOT_NAMESPACES.has(namespace) ? { "x-vault-namespace": namespace } : {}),
    ...(peer.isTls ? { "strict-transport-security": "max-age=31536000; includeSubDomains" } : {}),
  });
}
