/**
 * A request on its way through the vault, as the trail knows it. The faces make one for each, fill in what they learn, and
 * say how it ended; the writer of changes finds it here without anybody handing it through.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Effect } from "./effects.ts";
import type { AuditFace } from "./entry.ts";

/** What is known of a request when it begins. */
export interface RequestBeginning {
  readonly id: string;
  readonly face: AuditFace;
  /** Of the peer, without its port. */
  readonly remoteAddress?: string | undefined;
  /** Milliseconds of the monotonic clock. */
  readonly startedAt: number;
  /** Reads the header of that name: a span of the caller's, for whoever traces. */
  readonly traceparent?: (() => string | null | undefined) | undefined;
}

/** One request. What is not known stays undefined. */
export class AuditedRequest {
  readonly id: string;
  readonly face: AuditFace;
  readonly remoteAddress: string | undefined;
  readonly startedAt: number;
  operation: string = "none";
  user: string | undefined;
  /** Who the client of an operator says called sudo; anybody could say so. */
  unverifiedSudoUser: string | undefined;
  entityId: string | undefined;
  accessor: string | undefined;
  sessionId: string | undefined;
  agentId: string | undefined;
  resource: Readonly<Record<string, unknown>> | undefined;
  /** Whether more changes may follow: then the entry waits for the end, and the store keeps what is known until then. */
  goesOn: boolean = false;
  /** Whether it was answered: what it left behind to be done is nobody's request any more. */
  isDone: boolean = false;
  /** Number of the entry that was committed with a change of this request. */
  committed: number | undefined;
  /** Changes that were made while it went on, and what they did. */
  open: { change: number; readonly effects: Effect[] } | undefined;

  constructor({ id, face, remoteAddress, startedAt }: RequestBeginning) {
    this.id = id;
    this.face = face;
    this.remoteAddress = remoteAddress;
    this.startedAt = startedAt;
  }
}

const scope = new AsyncLocalStorage<AuditedRequest>();

/** Runs `work`, and whatever it waits for, as a part of `request`. */
export function withinRequest<T>(request: AuditedRequest, work: () => T): T {
  return scope.run(request, work);
}

/**
 * Does something that nobody asked for: its changes, also those that timers set by it make later, are recorded as the
 * vault's own, under `operation`.
 */
export function inBackground<T>(operation: string, work: () => T): T {
  return withinRequest(ownRequest(operation), work);
}

/** The vault itself, doing something. Each of its entries gets an id of its own. */
export function ownRequest(operation: string): AuditedRequest {
  const request = new AuditedRequest({ id: "", face: "vault", startedAt: 0 });
  request.operation = operation;
  return request;
}

/** The request that this is a part of. */
export function currentRequest(): AuditedRequest | undefined {
  return scope.getStore();
}

/** Says what the present request is about, where there is one. */
export function describeResource(resource: Readonly<Record<string, unknown>>): void {
  const request = currentRequest();
  if (request !== undefined) request.resource = resource;
}
