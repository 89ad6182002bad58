/**
 * What the main thread and the one that relays say to each other. Ports have numbers, given by the main thread.
 *
 * @module
 */

import type { LogLevel } from "../vault/ports.ts";
import type { Certificate, RelayPlan } from "./open_relay.ts";

/** From the main thread to the one that relays. */
export type ToRelay =
  /** `answers` is the memory in which the main thread answers `more_places`: see `more_places.ts`. */
  | readonly ["open", port: number, plan: RelayPlan, answers: SharedArrayBuffer]
  | readonly ["certificate", port: number, certificate: Certificate]
  | readonly ["inside", port: number, peer: string, path: string]
  | readonly ["no_inside", port: number, peer: string, reason: string]
  | readonly ["stop_accepting", port: number]
  | readonly ["drain", port: number, graceMs: number];

/** From the thread that relays to the main one. */
export type FromRelay =
  | readonly ["opened", port: number, hostname: string, actualPort: number]
  | readonly ["cannot_open", port: number, reason: string, code: string | undefined]
  /** A server for that peer is wanted. */
  | readonly ["want_inside", port: number, peer: string]
  | readonly ["close_inside", port: number, peer: string]
  /** The thread stands still until this is answered. */
  | readonly ["more_places", port: number, wanted: number]
  | readonly ["log", port: number, level: LogLevel, event: string, fields: Readonly<Record<string, unknown>>]
  | readonly ["drained", port: number];
