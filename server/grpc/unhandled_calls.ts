/**
 * Calls that end without a handler that records them: health, reflection, and what is refused before a handler sees it.
 * They are requests too, so the trail has an entry of each.
 *
 * @module
 */

import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { snakeCase } from "./call_names.ts";
import type { GrpcService } from "./definition.ts";

/** A call that is over. It is told across threads as it stands. */
export interface UnhandledCall {
  /** The method that was called; `unknown_method` where there is none of that name. */
  readonly operation: string;
  readonly peerAddress: string;
  readonly durationMs: number;
  /** The gRPC status that it was answered with; null: none, as it was reset or its caller left. */
  readonly code: number | null;
  /** The HTTP status; anything but 200 is no answer of gRPC's. */
  readonly httpStatus: number;
  /** As it stood in the headers: whose call it was. */
  readonly authorization: string | undefined;
  /** A span of the caller's, as it stood in the headers. */
  readonly traceparent: string | undefined;
}

const TAKEN = Symbol("recorded by its handler");

/** A call of grpc-js, which keeps its stream to itself. One that came in by another thread has none here. */
interface HoldsStream {
  readonly call?: { readonly stream?: { [TAKEN]?: true } };
}

/** Says that whoever handles this call records it. */
export function takeForRecording(call: object): void {
  const stream = (call as HoldsStream).call?.stream;
  if (stream !== undefined) stream[TAKEN] = true;
}

/** Whether somebody records the call of a stream. */
export function isTaken(stream: object): boolean {
  return TAKEN in stream;
}

/** What the answer of a stream that has closed said. */
export function answerOf({ sentHeaders, sentTrailers }: ServerHttp2Stream): Pick<UnhandledCall, "code" | "httpStatus"> {
  const sent: OutgoingHttpHeaders = { ...sentHeaders, ...sentTrailers };
  const code = sent["grpc-status"];
  return { code: code === undefined ? null : Number(code), httpStatus: Number(sent[":status"] ?? 200) };
}

/** Whether a stream that has closed was answered with OK by a handler that records its calls: each of these authenticates. */
export function isAnsweredToKnown(stream: ServerHttp2Stream): boolean {
  return isTaken(stream) && answerOf(stream).code === 0;
}

/** How the trail calls each method, by its path: those of the vault by their names alone, standard ones in full. */
export function operationNames(services: readonly GrpcService[]): ReadonlyMap<string, string> {
  const paths = services.flatMap(({ definition }) => Object.values(definition).map(({ path }) => path));
  const nameOf = (path: string) => /^\/rune(vault)?\./.test(path) ? snakeCase(path.split("/")[2]!) : path.slice(1);
  return new Map(paths.map((path) => [path, nameOf(path)]));
}
