/**
 * An HTTP port that more clients may reach than the process has descriptors.
 *
 * `Deno.serve` takes every connection that there is a descriptor for, tells nobody of it until a request is there, and
 * gives a request's head any time. Whoever opens enough idle connections takes all descriptors, and with them the gRPC
 * port and the store. So a relay accepts the connections, into a fixed number of places, and passes them on to a
 * `Deno.serve` on a unix socket of this process's own.
 *
 * @module
 */

import type { Certificate, HttpPortAddress, OpenRelay, RelayPlan } from "./open_relay.ts";
import { Relay } from "./relay.ts";
import type { RelayThread } from "./relay_thread.ts";
import type { TurnLimits } from "./relayed_connection.ts";
import { ServersBehind, type ServersBehindOptions } from "./servers_behind.ts";

/** Each connection costs a descriptor while it is idle or waits for its turn. */
const PLACES = 256;
const PLACES_INSIDE = 24;
const LIMITS: TurnLimits = { askingMs: 10_000, restingMs: 75_000, takingMs: 30_000 };
/** What has been answered still goes its way through the relay. */
const LEAST_DRAIN_MS = 200;

/** What a port is made of. */
export interface HttpPortOptions extends ServersBehindOptions {
  /** Default: 256. */
  readonly places?: number;
  /** Connections to the servers behind at once. Default: 24. */
  readonly placesInside?: number | undefined;
  /**
   * Asked where all places are taken, for that many more: how many there are descriptors for. Absent: none. It is not
   * asked again for a while once it gave fewer.
   */
  readonly morePlaces?: (wanted: number) => number;
  /** Default: 10 s for a head, 75 s of rest between requests, 30 s to take what is sent. */
  readonly limits?: Partial<TurnLimits>;
  /** Absent: plaintext. */
  readonly certificate?: Certificate | undefined;
  /** Relays there, with sockets in its folder. Absent: in this thread. */
  readonly thread?: RelayThread | undefined;
}

/** An open port. */
export class HttpPort {
  readonly #relay: OpenRelay;
  readonly #behind: ServersBehind;

  private constructor(relay: OpenRelay, behind: ServersBehind) {
    this.#relay = relay;
    this.#behind = behind;
  }

  /** Opens a port; rejects with what makes that impossible. In this thread, the mask is the one of this moment. */
  static async open(address: HttpPortAddress, options: HttpPortOptions): Promise<HttpPort> {
    const { thread, logger, morePlaces = () => 0, folder } = options;
    const behind = new ServersBehind({ ...options, folder: thread?.folder ?? folder });
    // deno-lint-ignore require-await -- a server that can't be opened is a rejection, not an exception.
    const servers = { open: async (peer: string) => behind.open(peer), close: (peer: string) => behind.close(peer) };
    const ports = { servers, morePlaces, logger };
    try {
      const plan = planOf(address, options);
      return new HttpPort(await (thread?.open(plan, ports) ?? Relay.open(plan, ports)), behind);
    } catch (error) {
      await behind.shutdown(0);
      throw error;
    }
  }

  /** The actual host; of a unix socket the path. */
  get hostname(): string {
    return this.#relay.hostname;
  }

  /** The actual port; of a unix socket 0. */
  get port(): number {
    return this.#relay.port;
  }

  /** Shows another certificate to those who connect from now, or in a thread soon, on; whoever is connected stays. */
  replaceCertificate(certificate: Certificate): void {
    this.#relay.replaceCertificate(certificate);
  }

  /**
   * Accepts no more connections and waits for the calls in flight, `graceMs` at most; those that take longer end with
   * the process, or the thread. Never rejects.
   */
  async shutdown(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs;
    this.#relay.stopAccepting();
    await this.#behind.shutdown(graceMs);
    await this.#relay.drain(Math.max(LEAST_DRAIN_MS, until - performance.now()));
  }
}

function planOf(address: HttpPortAddress, options: HttpPortOptions): RelayPlan {
  const { name, places = PLACES, placesInside = PLACES_INSIDE, limits, certificate } = options;
  return { name, address, places, placesInside, limits: { ...LIMITS, ...limits }, certificate };
}
