/**
 * What callers that are not authenticated hold on the servers of all threads, counted in memory that they share.
 *
 * Peers are told apart by a keyed hash of their address. Two may meet in one slot, with a chance of one in a million,
 * and then share a limit; nobody outside knows the key, so nobody can choose whom to meet.
 *
 * @module
 */

const SLOTS = 1 << 20;
/** Before the slots: the sum of all, the key of the hash, the number of threads. */
const HEAD = 3;

/** The sums, as one thread sees them. */
export class SharedHoldings {
  readonly #sums: Int32Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#sums = new Int32Array(memory);
  }

  /**
   * Memory to be given to each of `threads` threads; pages of it that are never used cost nothing.
   *
   * @param key 32 random bits.
   */
  static memory(threads: number, key: number): SharedArrayBuffer {
    const memory = new SharedArrayBuffer((HEAD + SLOTS) * Int32Array.BYTES_PER_ELEMENT);
    new Int32Array(memory).set([0, key, threads]);
    return memory;
  }

  /** Among how many threads the sums are shared. */
  get threads(): number {
    return this.#sums[2]!;
  }

  /** Where a peer is counted. */
  slotOf(peer: string): number {
    let hash = this.#sums[1]!;
    // The finaliser of MurmurHash3 after each unit: every bit of the key bears on every bit of the slot.
    for (let i = 0; i < peer.length; i++) {
      hash ^= peer.charCodeAt(i);
      hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
      hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
      hash ^= hash >>> 16;
    }
    return HEAD + (hash >>> 0) % SLOTS;
  }

  /** Counts bytes that a peer holds from now on; negative: no more. */
  add(slot: number, bytes: number): void {
    Atomics.add(this.#sums, 0, bytes);
    Atomics.add(this.#sums, slot, bytes);
  }

  /** What the peer of a slot holds. */
  ofPeer(slot: number): number {
    return Atomics.load(this.#sums, slot);
  }

  /** What all hold. */
  ofAll(): number {
    return Atomics.load(this.#sums, 0);
  }
}
