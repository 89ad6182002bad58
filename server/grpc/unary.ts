/**
 * Runs a handler as a grpc-js unary method: finds the token, hands over a context, observes and translates errors.
 *
 * Every call of the server passes here, so what not every handler needs (request id, peer, abort signal) is made when
 * it is asked for, and a handler that answers at once pays for no promise.
 *
 * @module
 */

import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { handleUnaryCall, sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import { ALLOWED, outcomeOf } from "../../vault/audit/encoding.ts";
import { type AuditedRequest, withinRequest } from "../../vault/audit/request.ts";
import type { Audit } from "../../vault/audit/trail.ts";
import { asVaultError, VaultError } from "../../vault/errors.ts";
import type { Clock, Logger, RandomSource } from "../../vault/ports.ts";
import { addressOfPeer, snakeCase } from "./call_names.ts";
import { presentedToken } from "./presented_token.ts";
import { grpcStatus } from "./status.ts";
import { takeForRecording } from "./unhandled_calls.ts";

/** The package whose requests carry the token in their field `token`; everywhere else it is metadata alone. */
const TOKEN_IN_MESSAGE_PACKAGE = "rune.vault.v1";

/** What a handler learns about its call besides the request. */
export interface CallContext {
  /** The user token exactly as presented: never empty, not yet checked. */
  readonly token: string;
  /** Names this call in logs and in the text of `INTERNAL`. */
  readonly requestId: string;
  /** The caller's IP address, or `unknown`. */
  readonly peerAddress: string;
  /** Aborts when the caller cancels, goes away or its deadline passes; the reason is a {@link VaultError}. */
  readonly signal: AbortSignal;
  /** What the audit trail will say of it. */
  readonly audited: AuditedRequest;
}

/** Answers one call; it may return at once or later, and throws a {@link VaultError} to refuse. */
export type UnaryAnswer<Request, Response> = (request: Request, context: CallContext) => Response | Promise<Response>;

/** One finished call, as the metrics see it. */
export interface ObservedCall {
  /** The method in snake case, such as `get_public_key`. */
  readonly method: string;
  /** `unknown` unless the handler named the user. */
  readonly user: string;
  readonly ok: boolean;
  readonly seconds: number;
}

/** What the wrapper asks of the outside. */
export interface UnaryPorts {
  readonly clock: Pick<Clock, "monotonic">;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly audit: Audit;
  /** Told of every call whose request could be read, once it is answered. */
  readonly observe: (call: ObservedCall) => void;
}

/** Makes a grpc-js handler of `answer`, for the method that `method` describes. */
export type Unary = <Input extends DescMessage, Output extends DescMessage>(
  method: DescMethodUnary<Input, Output>,
  answer: UnaryAnswer<MessageShape<Input>, MessageShape<Output>>,
) => handleUnaryCall<MessageShape<Input>, MessageShape<Output>>;

/** Returns the wrapper for all unary methods of a server. */
export function createUnary(ports: UnaryPorts): Unary {
  const newId = idMaker(ports.random);
  return (method, answer) => {
    const name = snakeCase(method.name);
    const tokenInMessage = method.parent.file.proto.package === TOKEN_IN_MESSAGE_PACKAGE;
    return (call, respond) => {
      takeForRecording(call);
      const running = new RunningCall(newId(), name, call, respond, ports);
      try {
        running.begin();
        running.token = presentedToken(call.metadata, tokenInMessage ? call.request : undefined);
        const outcome = withinRequest(running.audited, () => answer(call.request, running));
        if (outcome instanceof Promise) outcome.then((it) => running.succeed(it), (thrown) => running.fail(thrown));
        else running.succeed(outcome);
      } catch (thrown) {
        running.fail(thrown);
      }
    };
  };
}

type CallHandle = Pick<ServerUnaryCall<unknown, unknown>, "cancelled" | "getPeer" | "metadata" | "once">;

/** The context of one call, from its arrival to its one answer. */
class RunningCall<Response> implements CallContext {
  token = "";
  readonly #method: string;
  readonly #call: CallHandle;
  readonly #respond: sendUnaryData<Response>;
  readonly #ports: UnaryPorts;
  readonly #startedAt: number;
  #audited: AuditedRequest | undefined;
  #abort: AbortController | undefined;
  #answered = false;

  constructor(id: string, method: string, call: CallHandle, respond: sendUnaryData<Response>, ports: UnaryPorts) {
    this.#method = method;
    this.#call = call;
    this.#respond = respond;
    this.#ports = ports;
    this.#startedAt = ports.clock.monotonic();
    this.requestId = id;
  }

  readonly requestId: string;

  /** Refuses a call that could not be recorded. */
  begin(): void {
    const { audit } = this.#ports;
    const startedAt = this.#startedAt;
    this.#audited = audit.begin({
      id: this.requestId,
      face: "grpc",
      remoteAddress: this.peerAddress,
      startedAt,
      traceparent: () => this.#call.metadata.get("traceparent").join(),
    });
    this.#audited.operation = this.#method;
  }

  get audited(): AuditedRequest {
    return this.#audited!;
  }

  get peerAddress(): string {
    return addressOfPeer(this.#call.getPeer());
  }

  get signal(): AbortSignal {
    return (this.#abort ??= this.#watchCancellation()).signal;
  }

  succeed(response: Response): void {
    this.#end(true, response, undefined);
  }

  fail(thrown: unknown): void {
    this.#end(false, undefined, thrown);
  }

  /** Ends once: the answer leaves when the trail has the call. */
  #end(ok: boolean, response: Response | undefined, thrown: unknown): void {
    if (this.#answered) return;
    this.#answered = true;
    const unrecorded = (failure: unknown) => this.#answer(false, undefined, failure);
    try {
      const recorded = this.#record(ok, thrown);
      if (!(recorded instanceof Promise)) return this.#answer(ok, response, thrown);
      recorded.then(() => this.#answer(ok, response, thrown), unrecorded);
    } catch (failure) {
      unrecorded(failure);
    }
  }

  #record(ok: boolean, thrown: unknown): void | Promise<void> {
    if (this.#audited === undefined) return;
    return this.#ports.audit.finish(this.#audited, ok ? ALLOWED : outcomeOf(asVaultError(thrown).kind));
  }

  /** Nothing may escape: a throw from here would end the whole process. */
  #answer(ok: boolean, response: Response | undefined, thrown: unknown): void {
    try {
      if (ok) this.#respond(null, response as Response);
      else this.#respond(grpcStatus(thrown, { method: this.#method, call: this, logger: this.#ports.logger }));
      const seconds = (this.#ports.clock.monotonic() - this.#startedAt) / 1000;
      this.#ports.observe({ method: this.#method, user: this.#audited?.user ?? "unknown", ok, seconds });
    } catch (failure) {
      const error = failure instanceof Error ? failure.name : typeof failure;
      const fields = { request_id: this.requestId, method: this.#method, error };
      this.#ports.logger.log("error", "grpc_answer_failed", fields);
    }
  }

  /** grpc-js says `cancelled` after every call, answered ones too. */
  #watchCancellation(): AbortController {
    const controller = new AbortController();
    const abort = () => {
      if (!this.#answered) controller.abort(new VaultError("cancelled", "The caller went away"));
    };
    if (this.#call.cancelled) abort();
    else this.#call.once("cancelled", abort);
    return controller;
  }
}

/** Random bytes of which so many ids are made: a draw for each call would cost as much as the rest of its context. */
const IDS_OF_A_DRAW = 0x10000;

/** Makes ids of calls: sixteen hex digits, a draw and a number within it. */
function idMaker(random: RandomSource): () => string {
  let prefix = "";
  let used = 0;
  return () => {
    if (used % IDS_OF_A_DRAW === 0) [prefix, used] = [random.bytes(6).toHex(), 0];
    return prefix + (used++).toString(16).padStart(4, "0");
  };
}
