/**
 * One call under guard: what it sends is counted before grpc-js keeps it, and what must not be inflated is refused.
 *
 * @module
 */

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { status } from "@grpc/grpc-js";
import { bearerOf } from "./presented_token.ts";
import { BudgetedCall, type UnauthenticatedBudget } from "./unauthenticated_budget.ts";

/** A gRPC message stands behind a flag of one byte and a length of four. */
const HEAD_BYTES = 5;

/** What headers may come to, as RFC 9113 counts them. Other gRPC servers take 8 or 16 KiB. */
export const MAX_HEADER_BYTES = 16 * 1024;
/** What RFC 9113 (§6.5.2) counts for a field besides its name and its value. */
const FIELD_BYTES = 32;

/** Why a call was refused here, for the log. */
export type RefusalReason = "over_budget" | "large_headers" | "compressed" | "other_protocol" | "too_slow";

/** What guarded calls share. */
export interface CallGuard {
  readonly budget: UnauthenticatedBudget;
  /** Whether a token is one that would be let in now. */
  readonly isLive: (token: string) => boolean | Promise<boolean>;
  /** Told of every call that is refused. */
  readonly onRefusal: (reason: RefusalReason) => void;
}

/** A call from its headers to its end. */
export class GuardedCall extends BudgetedCall {
  readonly startedAt: number;
  /** What it has sent so far. */
  receivedBytes = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #guard: CallGuard;
  readonly #authorization: string | undefined;
  #isRefused = false;
  /** How many bytes of a message's head are there, the length in them, and how much of the message is to come. */
  #headBytes = 0;
  #length = 0;
  #left = 0;

  /**
   * Puts a stream under guard, before anybody else listens for its data: chunks come here first, and a stream that is
   * closed here gives grpc-js nothing more.
   *
   * @param now Milliseconds of any clock; {@link startedAt} is of the same.
   */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, guard: CallGuard, now: number) {
    super();
    this.#stream = stream;
    this.#guard = guard;
    this.#authorization = headers.authorization;
    this.startedAt = now;
    stream.on("data", (chunk: Uint8Array) => this.#receive(chunk));
  }

  /** Whether its whole request is there. */
  get isComplete(): boolean {
    return this.#stream.readableEnded;
  }

  /** Whether the call carries a token that is good now. The message's own token can't be known before it is there. */
  override isAuthenticated(): boolean | Promise<boolean> {
    const token = this.#authorization === undefined ? undefined : bearerOf(this.#authorization);
    return token !== undefined && token !== "" && this.#guard.isLive(token);
  }

  override refuse(): void {
    this.end(status.RESOURCE_EXHAUSTED, "Too much is held for callers that are not authenticated", "over_budget");
  }

  /** Answers with a status in place of the handler, and resets the stream, which frees what it holds. */
  end(code: status, details: string, reason: RefusalReason): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#guard.budget.close(this);
    this.#guard.onRefusal(reason);
    answerAndReset(this.#stream, code, details);
  }

  #receive(chunk: Uint8Array): void {
    if (this.#isRefused) return;
    if (!this.#isUncompressed(chunk)) {
      return this.end(status.UNIMPLEMENTED, "Compressed messages are not served", "compressed");
    }
    this.receivedBytes += chunk.length;
    this.#guard.budget.add(this, chunk.length);
  }

  /** Follows the messages' boundaries and looks at each one's flag. */
  #isUncompressed(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      const byte = chunk[at++]!;
      if (this.#headBytes === 0 && byte !== 0) return false;
      this.#length = this.#length * 256 + byte;
      if (++this.#headBytes < HEAD_BYTES) continue;
      this.#left = this.#length;
      this.#headBytes = this.#length = 0;
    }
    return true;
  }
}

/**
 * The size of a list of headers (RFC 9113, §6.5.2). It is not what came over the wire: one byte names a header of 4 KB that was sent before
 * (RFC 7541, §6.1).
 */
export function sizeOf(headers: IncomingHttpHeaders): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) bytes += name.length + (one?.length ?? 0) + FIELD_BYTES;
  }
  return bytes;
}

/**
 * Refuses a call on its headers alone, before anything of it is read. Whoever registered for the stream must not see
 * it any more.
 */
export function refuseUnseen(stream: ServerHttp2Stream, code: status, details: string): void {
  // Without a listener a stream that the client breaks off at this moment would end the process.
  stream.on("error", () => {});
  answerAndReset(stream, code, details);
}

/** Refuses what is not gRPC; grpc-js asks the runtime for the number of this status, which not every one has. */
export function refuseOtherProtocol(stream: ServerHttp2Stream): void {
  stream.on("error", () => {});
  stream.respond({ [constants.HTTP2_HEADER_STATUS]: 415 }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
  stream.resume();
}

/**
 * Sends a response of trailers alone, then RST_STREAM with NO_ERROR: the client need not send the rest (RFC 9113
 * §8.1). Where a response has begun, the reset alone has to tell.
 */
function answerAndReset(stream: ServerHttp2Stream, code: status, details: string): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) return stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  stream.respond({
    [constants.HTTP2_HEADER_STATUS]: 200,
    [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc+proto",
    "grpc-status": String(code),
    "grpc-message": encodeURI(details),
  }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
  // What has arrived already is let through to nobody: a paused stream would keep it, and itself, for ever.
  stream.resume();
}
