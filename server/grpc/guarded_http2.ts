/**
 * Stands between the network and grpc-js: what strangers may hold, how long they may take, how many may connect.
 *
 * grpc-js bounds one message and nothing else. Its HTTP/2 server is taken over before it listens: every stream passes
 * here first, with its headers, and so does each chunk.
 *
 * @module
 */

import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers";
import { status } from "@grpc/grpc-js";
import { collectAll } from "../../vault/garbage.ts";
import type { Logger } from "../../vault/ports.ts";
import { plainAddress } from "./call_names.ts";
import { ConnectionRate } from "./connection_rate.ts";
import { ConnectionTable } from "./connection_table.ts";
import { spareDescriptors } from "./descriptors.ts";
import { unlessTrue } from "./eventually.ts";
import { FIRST_SAID, FirstBytes } from "./first_bytes.ts";
import {
  type CallGuard,
  GuardedCall,
  MAX_HEADER_BYTES,
  refuseOtherProtocol,
  refuseUnseen,
  sizeOf,
} from "./guarded_call.ts";
import { DEFAULT_ANSWERS, PendingAnswers } from "./pending_answers.ts";
import { watchHeaders } from "./header_watch.ts";
import { limitResets } from "./reset_limit.ts";
import { letGoOfUnsent, letGoWhenClosed } from "./runtime_leaks.ts";
import { answerOf, isAnsweredToKnown, isTaken, type UnhandledCall } from "./unhandled_calls.ts";
import {
  type BudgetLimits,
  DEFAULT_BUDGET,
  peerOf,
  type SharedBudget,
  UnauthenticatedBudget,
} from "./unauthenticated_budget.ts";

/** How long a call that is not authenticated may take to send its request, and the rate that gives it longer. */
const REQUEST_MS = 30_000;
const REQUEST_BYTES_PER_MS = 256;
/** How long an answer may take to be taken, besides the time for its bytes. */
const ANSWER_MS = 30_000;
/** How long a connection may take for TLS and for the HTTP/2 preface with its settings. */
const HANDSHAKE_MS = 10_000;
/** As how many connections one counts that was ended for its headers: it left some 15 MB. */
const HEADERS_COST = 50;
/** After so many of them the garbage is collected. */
const COLLECTED_AFTER = 4;
/** How often deadlines are looked at. */
const SWEEP_MS = 1000;
/** How often what was refused is logged: whoever floods must not fill the disk. */
const REPORT_MS = 10_000;

/** What the guard is made of. */
export interface GuardOptions {
  /** Whether a token of `authorization` metadata is one that would be let in now. Counts nothing. */
  readonly isLive: (token: string) => boolean | Promise<boolean>;
  readonly logger: Logger;
  /** What this server shares with those of other threads. Absent: it is the only one. */
  readonly shared?: SharedBudget;
  /** How many connections there may be. Absent: as many as there turn out to be descriptors for. */
  readonly places?: number;
  /** Default: 512 MiB, 272 MiB a peer. */
  readonly limits?: BudgetLimits;
  /** Default: 30 s, and 1 s more for each 256 KB that came in. */
  readonly requestMs?: number;
  /** Of answers that are not taken yet, on all threads together. Default: 768 MiB, 384 MiB a peer. */
  readonly answerLimits?: BudgetLimits;
  /** Default: 30 s, and 1 s more for each 256 KB of an answer. */
  readonly answerMs?: number;
  /** Default: 10 s. */
  readonly handshakeMs?: number;
  /** Told of every call that ended without a handler that records it. */
  readonly onUnhandled?: (call: UnhandledCall) => void;
}

/** Whence and when a call came. */
interface Arrival {
  readonly peerAddress: string;
  readonly startedAt: number;
}

/** The guard of one gRPC server, on whatever addresses it listens. */
export class Http2Guard {
  readonly #connections: ConnectionTable;
  readonly #firstBytes = new FirstBytes(setImmediate, () => this.#count("not_http2"));
  readonly #rate = new ConnectionRate(() => performance.now());
  readonly #budget: UnauthenticatedBudget;
  readonly #answers: PendingAnswers;
  readonly #calls: CallGuard;
  readonly #logger: Logger;
  readonly #requestMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #onUnhandled: (call: UnhandledCall) => void;
  readonly #operations: ReadonlyMap<string, string>;
  readonly #refused = new Map<string, number>();
  readonly #onStream = new WeakMap<ServerHttp2Session, () => void>();
  #endedForHeaders = 0;
  #reportedAt = -Infinity;
  /** Read once a second: a call needs no better one, and reading a clock costs more than what it is for. */
  #now = performance.now();

  /** @param operations How methods are called in the trail, by their paths. */
  constructor(options: GuardOptions, operations: ReadonlyMap<string, string>) {
    const { isLive, logger, limits = DEFAULT_BUDGET } = options;
    const { requestMs = REQUEST_MS, answerMs = ANSWER_MS, handshakeMs = HANDSHAKE_MS } = options;
    const count = (reason: string) => this.#count(reason);
    this.#budget = new UnauthenticatedBudget(limits, options.shared);
    this.#calls = { budget: this.#budget, isLive, onRefusal: count };
    this.#answers = new PendingAnswers({
      limits: shareOf(options.answerLimits ?? DEFAULT_ANSWERS, options.shared?.holdings.threads ?? 1),
      answerMs,
      now: () => this.#now,
      onReset: count,
    });
    this.#connections = new ConnectionTable({
      budget: this.#budget,
      handshakeMs,
      now: () => performance.now(),
      afterTurn: setImmediate,
      spareDescriptors,
      places: options.places,
      onClosed: count,
    });
    this.#logger = logger;
    this.#requestMs = requestMs;
    this.#onUnhandled = options.onUnhandled ?? (() => {});
    this.#operations = operations;
    this.#timer = setInterval(() => this.#sweep(), Math.min(SWEEP_MS, requestMs, answerMs, handshakeMs));
  }

  /** What callers that are not authenticated hold at present, in bytes. */
  get heldBytes(): number {
    return this.#budget.bytes;
  }

  /** What answers that are not taken yet are charged at present, in bytes. */
  get pendingBytes(): number {
    return this.#answers.bytes;
  }

  /** Closes calls of a peer, or of all where it is null, for callers of another thread that found no room. */
  makeRoom(peer: string | null): void {
    this.#budget.relieve(peer);
  }

  /** Ends the timer. What it guards goes on under guard, without deadlines. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes over an HTTP/2 server that has all its listeners and does not listen yet. */
  attach(server: Http2Server): void {
    const must = "setSecureContext" in server ? FIRST_SAID.tls : FIRST_SAID.plain;
    intercept(server, "connection", (socket: Socket, begin) => {
      letGoWhenClosed(socket);
      if (!this.#connections.accept(socket)) return;
      this.#firstBytes.await(socket, must, () => {
        if (this.#rate.admits(peerOf(plainAddress(socket.remoteAddress ?? "unknown")))) {
          return begin();
        }
        this.#count("too_many_connections");
        socket.destroy();
      });
    });
    intercept(server, "stream", (stream: ServerHttp2Stream, goOn, headers: IncomingHttpHeaders) => {
      if (this.#admits(stream, headers)) goOn();
    });
    // Answered on its headers alone, as an unknown method is: nobody will read what it goes on sending.
    server.on("stream", (stream) => {
      if ((stream as ServerHttp2Stream).headersSent && !stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
    server.prependListener("session", (session: ServerHttp2Session) => {
      // An error that nobody listens for ends the process: one WINDOW_UPDATE past 2^31-1 makes one (RFC 9113 §6.9.1).
      session.on("error", () => this.#count("broken_connection"));
      this.#connections.attach(session);
      letGoWhenClosed(session);
      this.#watchHeaders(session);
      limitResets(session, { now: () => this.#now, onEnded: () => this.#count("too_many_resets") });
    });
    server.prependListener("stream", (stream: ServerHttp2Stream) => {
      stream.on("error", () => this.#count("broken_call"));
      if (stream.session !== undefined) this.#onStream.get(stream.session as ServerHttp2Session)?.();
    });
    server.on("error", (error) => this.#logger.log("warn", "grpc_listener_failed", { reason: error.message }));
  }

  #watchHeaders(session: ServerHttp2Session): void {
    const connection = this.#connections.of(session);
    if (connection === undefined) return;
    const onStream = watchHeaders(session, {
      isKnown: () => connection.stage === "known",
      onEnded: () => this.#endForHeaders(connection.account.peer),
    });
    if (onStream !== undefined) this.#onStream.set(session, onStream);
  }

  #endForHeaders(peer: string): void {
    this.#count("too_many_headers");
    this.#rate.charge(peer, HEADERS_COST);
    if (++this.#endedForHeaders % COLLECTED_AFTER === 0) collectAll();
  }

  /** Whether grpc-js may have the stream. */
  #admits(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const connection = this.#connections.of(stream.session);
    // Reset or gone before its turn: answering such a stream throws.
    if (connection === undefined || stream.destroyed || stream.closed) return false;
    const arrival = { peerAddress: connection.peerAddress, startedAt: performance.now() };
    const headerBytes = sizeOf(headers);
    if (this.#refusesOnHeaders(stream, headers, headerBytes)) {
      this.#tellUnhandled(stream, headers, arrival);
      return false;
    }
    letGoOfUnsent(stream);
    const answer = this.#answers.watch(stream, connection.account.peer);
    const call = new GuardedCall(stream, headers, this.#calls, this.#now);
    this.#connections.callBegan(connection, arrival.startedAt);
    stream.once("close", () => {
      // A clock that is read once a second may be behind the time of the beginning.
      const endedAt = Math.max(arrival.startedAt, this.#now);
      const isNowKnown = this.#connections.callEnded(connection, endedAt, () => isAnsweredToKnown(stream));
      if (isNowKnown) this.#rate.giveBack(connection.account.peer);
      this.#budget.close(call);
      this.#answers.close(answer);
      if (!isTaken(stream)) this.#tellUnhandled(stream, headers, arrival);
    });
    this.#budget.open(call, connection.account);
    this.#budget.add(call, headerBytes);
    return true;
  }

  #refusesOnHeaders(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, headerBytes: number): boolean {
    if (headerBytes > MAX_HEADER_BYTES) {
      this.#calls.onRefusal("large_headers");
      refuseUnseen(stream, status.RESOURCE_EXHAUSTED, `Headers of more than ${MAX_HEADER_BYTES} bytes are not served`);
      return true;
    }
    const encoding = headers["grpc-encoding"];
    if (encoding !== undefined && encoding !== "identity") {
      this.#calls.onRefusal("compressed");
      refuseUnseen(stream, status.UNIMPLEMENTED, "Compressed messages are not served");
      return true;
    }
    if (headers["content-type"]?.startsWith("application/grpc")) return false;
    this.#calls.onRefusal("other_protocol");
    refuseOtherProtocol(stream);
    return true;
  }

  #tellUnhandled(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, from: Arrival): void {
    this.#onUnhandled({
      operation: this.#operations.get(String(headers[":path"])) ?? "unknown_method",
      peerAddress: from.peerAddress,
      durationMs: performance.now() - from.startedAt,
      ...answerOf(stream),
      authorization: headers.authorization,
      traceparent: headers["traceparent"]?.toString(),
    });
  }

  #count(reason: string): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  #sweep(): void {
    this.#now = performance.now();
    this.#connections.sweep();
    this.#answers.sweep();
    for (const call of this.#budget.calls()) if (call instanceof GuardedCall && this.#isLate(call)) this.#cut(call);
    if (this.#refused.size === 0 || this.#now < this.#reportedAt + REPORT_MS) return;
    this.#reportedAt = this.#now;
    this.#logger.log("warn", "grpc_refused", Object.fromEntries(this.#refused));
    this.#refused.clear();
  }

  #isLate({ isComplete, startedAt, receivedBytes }: GuardedCall): boolean {
    return !isComplete && this.#now > startedAt + this.#requestMs + receivedBytes / REQUEST_BYTES_PER_MS;
  }

  #cut(call: GuardedCall): void {
    this.#budget.close(call);
    unlessTrue(call.isAuthenticated(), () => {
      call.end(status.DEADLINE_EXCEEDED, "The request did not arrive in time", "too_slow");
    });
  }
}

/** What each of several threads may hold of what all may. */
function shareOf({ totalBytes, peerBytes }: BudgetLimits, threads: number): BudgetLimits {
  return { totalBytes: totalBytes / threads, peerBytes: peerBytes / threads };
}

/** Lets those who listen for an event of a stream or socket have it only once `admit` calls what it is given. */
function intercept<Subject, Rest extends unknown[]>(
  server: Http2Server,
  event: string,
  admit: (subject: Subject, goOn: () => void, ...rest: Rest) => void,
) {
  const inner = server.listeners(event);
  server.removeAllListeners(event);
  server.on(event, (subject: Subject, ...rest: Rest) => {
    const goOn = () => {
      for (const listener of inner) Reflect.apply(listener, server, [subject, ...rest]);
    };
    admit(subject, goOn, ...rest);
  });
}
