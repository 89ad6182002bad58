/**
 * What the main thread and those that serve gRPC beside it say to each other. Tuples, since a structured clone writes
 * out the names of an object's members each time.
 *
 * @module
 */

import type { VaultErrorKind } from "../../../vault/errors.ts";
import type { EnvelopeHead } from "../../../vault/keys/envelope.ts";
import type { LogLevel } from "../../../vault/ports.ts";
import type { CertificatePair } from "../credentials.ts";
import type { BudgetLimits } from "../unauthenticated_budget.ts";
import type { UnhandledCall } from "../unhandled_calls.ts";

/** What a thread is to serve, and its share of what the server may use. */
export interface ThreadPlan {
  /** The address on which the main thread listens already. */
  readonly address: string;
  /** Null: plaintext. */
  readonly tls: { readonly pair: CertificatePair; readonly clientCaPem: string | undefined } | null;
  /** How many connections it may have. */
  readonly places: number;
  /** How many streams of health watchers, and of reflection, it may have. */
  readonly maxWatchers: number;
  readonly maxReflections: number;
  /** What callers that are not authenticated may hold on all threads together. */
  readonly limits: BudgetLimits;
  /** Memory of the holdings of callers that are not authenticated. */
  readonly holdings: SharedArrayBuffer;
}

/** A refusal that another thread decided on. */
export type Refusal = readonly [kind: VaultErrorKind, message: string];

/** What the main thread reads of a call's headers; either may have been sent several times. */
export type CallHeaders = Readonly<Record<"authorization" | "traceparent", readonly string[]>>;

/** From a thread to the main one. Calls have numbers, counted by their thread. */
export type FromThread =
  | readonly ["listening"]
  | readonly ["cannot_listen", reason: string]
  | readonly ["call", id: number, path: string, request: Uint8Array, headers: CallHeaders, peer: string]
  /** Its caller has gone: no answer is wanted any more. */
  | readonly ["cancel", id: number]
  /** Which keys open these envelopes? */
  | readonly ["keys", id: number, heads: readonly EnvelopeHead[]]
  /** The batch is done, and may the answer leave? */
  | readonly ["done", id: number, version1: number, items: number]
  | readonly ["failed", id: number, ...Refusal]
  /** Would this token be let in now? */
  | readonly ["live", question: number, token: string]
  /** A call that ended without the main thread. */
  | readonly ["unhandled", call: UnhandledCall]
  | readonly ["want_room", peer: string | null]
  | readonly ["log", level: LogLevel, event: string, fields: Readonly<Record<string, unknown>>]
  | readonly ["stopped"];

/** From the main thread to one that serves. */
export type ToThread =
  | readonly ["serve", plan: ThreadPlan]
  /** The answer's bytes, in parts to be joined. */
  | readonly ["answer", id: number, parts: readonly Uint8Array[]]
  | readonly ["refuse", id: number, code: number, details: string, metadata: readonly (readonly [string, string])[]]
  /** The caller may have the envelopes of the request opened. */
  | readonly ["open", id: number]
  | readonly ["keys", id: number, keys: readonly (Uint8Array | Refusal)[]]
  /** The caller may have the plaintexts of the request sealed, with this key. */
  | readonly ["seal", id: number, agentId: string, keyVersion: number, key: Uint8Array]
  /** The answer that the thread made may leave. */
  | readonly ["send", id: number]
  | readonly ["live", question: number, isLive: boolean]
  | readonly ["make_room", peer: string | null]
  | readonly ["serving", isServing: boolean]
  | readonly ["certificate", pair: CertificatePair]
  | readonly ["stop"];
