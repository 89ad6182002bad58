/**
 * Answers that their clients have not taken yet: how much of them there may be, and for how long.
 *
 * HTTP/2 lets a client ask and give the answers no window. What is written then stays within the runtime, which takes it
 * at once, whatever there is already: neither `writableLength` nor a late `drain` tells of it. So an answer counts from
 * its first byte until its stream has closed, and whoever lets too much come together loses the oldest.
 *
 * @module
 */

import { constants, type ServerHttp2Stream } from "node:http2";
import type { BudgetLimits } from "./unauthenticated_budget.ts";

const MIB = 1024 * 1024;
/** Behind one address, 65 callers may wait for the largest bundle of keys at once. */
export const DEFAULT_ANSWERS: BudgetLimits = { totalBytes: 768 * MIB, peerBytes: 384 * MIB };
/** What an answer costs besides its bytes: the stream, its call and the objects around them. */
const ANSWER_BYTES = 16 * 1024;
/** An answer has some seconds, and one more for each 256 KB: a slow line is no reason to lose it. */
const BYTES_PER_MS = 256;
/** Where many answers wait, only so many of the oldest are looked at: making room must stay cheap. */
const ANSWERS_LOOKED_AT = 64;

/** What answers may come to, and who hears of those that are reset. */
export interface PendingPorts {
  readonly limits: BudgetLimits;
  /** How long an answer may take to be taken once its last byte is written, in milliseconds. */
  readonly answerMs: number;
  /** Milliseconds of any clock. */
  readonly now: () => number;
  readonly onReset: (reason: "answers_over_budget" | "answer_not_taken") => void;
}

/** What was written to one stream. */
export class PendingAnswer {
  bytes = 0;
  writtenAt = 0;
  readonly stream: ServerHttp2Stream;
  readonly peer: string;

  constructor(stream: ServerHttp2Stream, peer: string) {
    this.stream = stream;
    this.peer = peer;
  }
}

interface PeerAnswers {
  bytes: number;
  /** Oldest first. */
  readonly answers: Set<PendingAnswer>;
}

/** The answers of one server that wait to be taken. */
export class PendingAnswers {
  readonly #ports: PendingPorts;
  readonly #peers = new Map<string, PeerAnswers>();
  #bytes = 0;

  constructor(ports: PendingPorts) {
    this.#ports = ports;
  }

  /** What all of them are charged at present. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts from now on what is written to a stream of a peer; {@link close} ends that. */
  watch(stream: ServerHttp2Stream, peer: string): PendingAnswer {
    const answer = new PendingAnswer(stream, peer);
    const write = stream.write as (...args: unknown[]) => boolean;
    stream.write = (chunk: Uint8Array, ...rest: unknown[]) => {
      const wantsMore = write.call(stream, chunk, ...rest);
      this.#add(answer, chunk.length);
      return wantsMore;
    };
    return answer;
  }

  /** Counts an answer no more. Safe to repeat. */
  close(answer: PendingAnswer): void {
    if (answer.bytes === 0) return;
    const peer = this.#peers.get(answer.peer)!;
    peer.answers.delete(answer);
    if (peer.answers.size === 0) this.#peers.delete(answer.peer);
    this.#count(peer, -answer.bytes);
    answer.bytes = 0;
  }

  /** Resets what is written whole and was not taken in time. A stream that goes on, as of a watcher, may rest. */
  sweep(): void {
    const latest = this.#ports.now() - this.#ports.answerMs;
    for (const { answers } of this.#peers.values()) {
      for (const answer of answers) {
        const { stream, writtenAt, bytes } = answer;
        const isStalled = stream.writableEnded && !stream.writableFinished;
        if (isStalled && writtenAt + bytes / BYTES_PER_MS < latest) this.#reset(answer, "answer_not_taken");
      }
    }
  }

  #add(answer: PendingAnswer, bytes: number): void {
    if (answer.stream.closed || answer.stream.destroyed) return;
    let peer = this.#peers.get(answer.peer);
    if (peer === undefined) this.#peers.set(answer.peer, peer = { bytes: 0, answers: new Set() });
    const charged = answer.bytes === 0 ? ANSWER_BYTES + bytes : bytes;
    peer.answers.add(answer);
    answer.bytes += charged;
    answer.writtenAt = this.#ports.now();
    this.#count(peer, charged);
    this.#makeRoom(peer);
  }

  #count(peer: PeerAnswers, bytes: number): void {
    peer.bytes += bytes;
    this.#bytes += bytes;
  }

  /** One answer alone may be larger than all that is allowed to many. */
  #makeRoom(peer: PeerAnswers): void {
    const { peerBytes, totalBytes } = this.#ports.limits;
    while (peer.bytes > peerBytes && peer.answers.size > 1) this.#shed(peer);
    while (this.#bytes > totalBytes) {
      const largest = heaviest(this.#peers.values());
      if (largest.answers.size === 1) return;
      this.#shed(largest);
    }
  }

  #shed(peer: PeerAnswers): void {
    this.#reset(heaviest(oldest(peer.answers)), "answers_over_budget");
  }

  #reset(answer: PendingAnswer, reason: "answers_over_budget" | "answer_not_taken"): void {
    this.close(answer);
    this.#ports.onReset(reason);
    if (!answer.stream.closed) answer.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

function* oldest(answers: Iterable<PendingAnswer>): Iterable<PendingAnswer> {
  let left = ANSWERS_LOOKED_AT;
  for (const answer of answers) {
    yield answer;
    if (--left === 0) return;
  }
}

/** There is always one: who asks has just counted something. */
function heaviest<T extends { readonly bytes: number }>(candidates: Iterable<T>): T {
  let found: T | undefined;
  for (const candidate of candidates) if (found === undefined || candidate.bytes > found.bytes) found = candidate;
  return found!;
}
