/**
 * Writes the calls down that no handler recorded.
 *
 * @module
 */

import { status } from "@grpc/grpc-js";
import { ALLOWED, type EntryOutcome, outcomeOf } from "../../vault/audit/encoding.ts";
import type { Audit } from "../../vault/audit/trail.ts";
import type { VaultErrorKind } from "../../vault/errors.ts";
import type { Clock, RandomSource } from "../../vault/ports.ts";
import { bearerOf, MAX_TOKEN_LENGTH } from "./presented_token.ts";
import type { UnhandledCall } from "./unhandled_calls.ts";

/** Whose a token is. */
export interface TokenHolder {
  readonly user: string;
  readonly entityId: string;
  readonly agentId: string;
}

/** What recording asks of the outside. */
export interface UnhandledPorts {
  readonly clock: Pick<Clock, "monotonic">;
  readonly random: RandomSource;
  readonly audit: Audit;
  /** Undefined where a token is nobody's now. */
  readonly holderOf: (token: string) => TokenHolder | undefined;
}

/** Returns what records a call that is over. While nothing can be recorded, it leaves it at that: nothing was done. */
export function unhandledRecorder({ clock, random, audit, holderOf }: UnhandledPorts): (call: UnhandledCall) => void {
  return (call) => {
    try {
      const { operation, peerAddress: remoteAddress } = call;
      const startedAt = clock.monotonic() - call.durationMs;
      const about = { id: random.bytes(8).toHex(), remoteAddress, startedAt, traceparent: () => call.traceparent };
      const audited = audit.begin({ face: "grpc", ...about });
      const holder = holderIn(call, holderOf);
      audited.operation = operation;
      audited.user = holder?.user;
      audited.entityId = holder?.entityId;
      audited.accessor = audited.agentId = holder?.agentId;
      // The trail says of itself that it can't be written; its answer has left.
      void audit.finish(audited, outcomeOfCall(call))?.catch(() => {});
    } catch {
      // As above.
    }
  };
}

function holderIn({ authorization }: UnhandledCall, holderOf: UnhandledPorts["holderOf"]): TokenHolder | undefined {
  const token = authorization === undefined ? undefined : bearerOf(authorization);
  return token && token.length <= MAX_TOKEN_LENGTH ? holderOf(token) : undefined;
}

const KIND_OF_CODE: Readonly<Record<number, VaultErrorKind>> = {
  [status.CANCELLED]: "cancelled",
  [status.INVALID_ARGUMENT]: "invalid_argument",
  [status.NOT_FOUND]: "not_found",
  [status.RESOURCE_EXHAUSTED]: "rate_limited",
  [status.UNAVAILABLE]: "not_ready",
};

/** What no kind of ours fits is called as gRPC calls it. Nothing of it is the vault's failure: nobody has handled it. */
function outcomeOfCall({ code, httpStatus }: UnhandledCall): EntryOutcome {
  if (httpStatus !== 200) return { decision: "refused", error: `http_${httpStatus}` };
  if (code === status.OK) return ALLOWED;
  const kind = KIND_OF_CODE[code ?? status.CANCELLED];
  if (kind !== undefined) return outcomeOf(kind);
  return { decision: "refused", error: `grpc_${status[code!]?.toLowerCase() ?? code}` };
}
