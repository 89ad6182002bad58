/**
 * What a relay is told and what it offers, in whichever thread it is.
 *
 * @module
 */

import type { Logger } from "../vault/ports.ts";
import type { InsideServers } from "./inside_places.ts";
import type { TurnLimits } from "./relayed_connection.ts";

/** A certificate chain and its private key, both PEM. */
export interface Certificate {
  readonly certPem: string;
  /** Secret: never log it. */
  readonly keyPem: string;
}

/** Where to listen: port 0 takes a free one; a path becomes a socket with the rights that the process's mask leaves. */
export type HttpPortAddress = { readonly hostname: string; readonly port: number } | { readonly path: string };

/** What a relay is to do: data alone, so that it can be sent to a thread. */
export interface RelayPlan {
  /** What the log calls the port. */
  readonly name: string;
  readonly address: HttpPortAddress;
  readonly places: number;
  /** Connections to the servers behind at once; each costs two descriptors. */
  readonly placesInside: number;
  readonly limits: TurnLimits;
  /** Absent: plaintext. */
  readonly certificate: Certificate | undefined;
}

/** What a relay asks of those it works for. */
export interface RelayPorts {
  readonly servers: InsideServers;
  /** How many of that many further places there are descriptors for. */
  readonly morePlaces: (wanted: number) => number;
  readonly logger: Logger;
}

/** A relay that listens, in this thread or another. */
export interface OpenRelay {
  /** The actual host, and port; of a unix socket the path and 0. */
  readonly hostname: string;
  readonly port: number;
  /** Shows another certificate to those who connect from now, or in a thread soon, on; whoever is connected stays. */
  replaceCertificate(certificate: Certificate): void;
  /** Accepts no more connections, and ends those that are idle. */
  stopAccepting(): void;
  /** Waits until every connection has ended, `graceMs` at most. Never rejects. */
  drain(graceMs: number): Promise<void>;
}
