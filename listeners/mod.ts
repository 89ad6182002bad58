/**
 * Listening for HTTP where strangers can connect.
 *
 * Owns: how many may be connected, how long each may take to ask, how much it may send, and that a port comes back when it
 * fails.
 * Relies on: nothing but a logger.
 * Leaves to its neighbours: which address is listened on, who may ask, and every answer.
 *
 * @module
 */

export { type BodyBounds, readBodyBytes } from "./body_bytes.ts";
export { HttpPort, type HttpPortOptions } from "./http_port.ts";
export { KeptServer } from "./kept_server.ts";
export { type Certificate } from "./open_relay.ts";
export { type ListenFailure, listenFailure } from "./listen_failure.ts";
export { RelayThread } from "./relay_thread.ts";
