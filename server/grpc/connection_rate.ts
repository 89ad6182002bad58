/**
 * How many HTTP/2 connections one peer address may begin on which nobody authenticates: each costs some 12 to 18 kB of native
 * memory that the runtime never gives back, besides the work of its handshake
 * (`docs/decisions/0044_whose_connection_makes_room.md`).
 *
 * @module
 */

/** At once; agents of a whole office behind one address start at the same moment. */
export const MOST_CONNECTIONS = 500;
/**
 * From then on. Honest ones on which nobody authenticates are few: probes of a load balancer, a client whose token has ended. At this rate
 * an address takes a gigabyte in two hours or so.
 */
const CONNECTIONS_A_SECOND = 10;
/** Addresses that are remembered; who has used all up there is among the last that came. */
const MOST_PEERS = 4096;

interface Bucket {
  left: number;
  filledAt: number;
}

/** What the addresses have left. */
export class ConnectionRate {
  readonly #now: () => number;
  /** Who came last stands last. */
  readonly #buckets = new Map<string, Bucket>();

  /** @param now Milliseconds of any clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Counts a connection of a peer; false: it has begun too many. */
  admits(peer: string): boolean {
    const now = this.#now();
    const { left, filledAt } = this.#buckets.get(peer) ?? { left: MOST_CONNECTIONS, filledAt: now };
    const filled = Math.min(MOST_CONNECTIONS, left + (now - filledAt) * CONNECTIONS_A_SECOND / 1000);
    const isAdmitted = filled >= 1;
    this.#buckets.delete(peer);
    this.#buckets.set(peer, { left: isAdmitted ? filled - 1 : filled, filledAt: now });
    if (this.#buckets.size > MOST_PEERS) this.#buckets.delete(this.#buckets.keys().next().value!);
    return isAdmitted;
  }

  /** Counts more of a peer whose connection cost more than one. */
  charge(peer: string, connections: number): void {
    const bucket = this.#buckets.get(peer);
    if (bucket !== undefined) bucket.left = Math.max(0, bucket.left - connections);
  }

  /** Takes one back: its caller has authenticated. */
  giveBack(peer: string): void {
    const bucket = this.#buckets.get(peer);
    if (bucket !== undefined) bucket.left++;
  }
}
