/**
 * What the identity API is made of, and what it tells its parts.
 *
 * @module
 */

import type { AuditFace } from "../../vault/audit/entry.ts";
import type { AuditedRequest } from "../../vault/audit/request.ts";
import type { Audit } from "../../vault/audit/trail.ts";
import type { Logger } from "../../vault/ports.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import type { AuditNames } from "./audited.ts";
import type { Incoming } from "./incoming.ts";
import type { Maybe } from "./maybe.ts";
import type { OperationName } from "./route.ts";
import type { Router, Target } from "./router.ts";

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
export interface Progress {
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
