/**
 * One span a request, on every face: what begins and ends for the audit trail begins and ends a span.
 *
 * A span holds no path, no name that a caller chose and no value of theirs: the route's template, a user that exists, ids
 * and how it ended (S25).
 *
 * @module
 */

import type { Attributes, SpanContext } from "@opentelemetry/api";
import type { EntryOutcome } from "../../vault/audit/encoding.ts";
import type { AuditedRequest } from "../../vault/audit/request.ts";
import { asVaultError } from "../../vault/errors.ts";
import type { Audit } from "../../vault/audit/trail.ts";
import { parseTraceParent } from "./trace_parent.ts";

/** A request that ended. */
export interface RequestSpan {
  readonly name: string;
  /** How long it took, in ms; it ends now. */
  readonly durationMs: number;
  readonly attributes: Attributes;
  readonly hasFailed: boolean;
  /** The caller's own span, where one was named. */
  readonly parent: SpanContext | undefined;
}

/** Wraps a trail: `record` is told of each request once it has ended. */
export function tracedAudit(audit: Audit, record: (span: RequestSpan) => void, monotonic: () => number): Audit {
  const parents = new WeakMap<AuditedRequest, SpanContext>();
  const end = (request: AuditedRequest, outcome: EntryOutcome) => {
    if (request.face === "vault") return;
    const parent = parents.get(request);
    record({ ...spanOf(request, outcome), parent, durationMs: monotonic() - request.startedAt });
  };
  return {
    begin: (beginning) => {
      const request = audit.begin(beginning);
      const parent = parseTraceParent(beginning.traceparent?.());
      if (parent !== undefined) parents.set(request, parent);
      return request;
    },
    finish: (request, outcome) => {
      const fail = (error: unknown): never => {
        end(request, { decision: "failed", error: asVaultError(error).kind });
        throw error;
      };
      let recorded: void | Promise<void>;
      try {
        recorded = audit.finish(request, outcome);
      } catch (error) {
        return fail(error);
      }
      if (recorded instanceof Promise) return recorded.then(() => end(request, outcome), fail);
      end(request, outcome);
    },
  };
}

function spanOf(request: AuditedRequest, outcome: EntryOutcome): Omit<RequestSpan, "durationMs" | "parent"> {
  const { id, face, user, entityId } = request;
  const operation = nameOf(request);
  return {
    name: `${face} ${operation}`,
    hasFailed: outcome.decision === "failed",
    attributes: {
      "runevault.face": face,
      "runevault.operation": operation,
      "runevault.request_id": id,
      "runevault.decision": outcome.decision,
      ...(user === undefined || isMadeUp(request) ? {} : { "user.name": user }),
      ...(entityId === undefined ? {} : { "user.id": entityId }),
      ...(outcome.error === undefined ? {} : { "error.type": outcome.error }),
    },
  };
}

/** A token that is nobody's is called what its maker wrote. */
function isMadeUp({ face, entityId }: AuditedRequest): boolean {
  return face === "api" && entityId === undefined;
}

/** The method of a request that could not be read is a text of its sender's. */
function nameOf({ operation }: AuditedRequest): string {
  return operation.endsWith(" unread") ? "unread" : operation;
}
