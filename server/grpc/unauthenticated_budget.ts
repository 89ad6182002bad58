/**
 * How much the calls of strangers may make this process hold, counted in bytes. Pure accounting: it sees no stream.
 *
 * gRPC authenticates a call when its whole message is there, and a message may have 256 MiB. Without a common bound,
 * a few dozen clients that each hold back their last byte would fill the memory of the machine.
 *
 * @module
 */

import { unlessTrue } from "./eventually.ts";
import type { SharedHoldings } from "./shared_holdings.ts";

const MIB = 1024 * 1024;

/** What an open call costs before its first byte, besides its headers: the stream and the objects around it. */
const CALL_BYTES = 16 * 1024;
/** What a chunk costs besides its bytes. Without it, frames of one byte would be held at two hundred times their price. */
const CHUNK_BYTES = 256;
/** A call up to this size is no hoarder: where room is wanted for it, a larger one makes it. */
const SMALL_CALL_BYTES = 256 * 1024;
/** Where many calls are open, only so many of the oldest are looked at: making room must stay cheap. */
const CALLS_LOOKED_AT = 64;

/** How many bytes calls that are not authenticated may hold. */
export interface BudgetLimits {
  readonly totalBytes: number;
  /** Of one peer address. It must let one message of the largest size through. */
  readonly peerBytes: number;
}

/** For messages of up to 256 MiB. */
export const DEFAULT_BUDGET: BudgetLimits = { totalBytes: 512 * MIB, peerBytes: 272 * MIB };

/** What the servers of several threads hold together, and how one makes the others make room. */
export interface SharedBudget {
  readonly holdings: SharedHoldings;
  /** Tells the other threads that a peer, or all where it is null, hold too much, and most of it isn't here. */
  readonly wantRoom: (peer: string | null) => void;
}

/** A call that counts against the budget until it is closed. */
export abstract class BudgetedCall {
  /** What it is charged. */
  bytes = 0;
  /** Null while it does not count. */
  account: PeerAccount | null = null;

  /** Whether its caller is known after all, and it need not count. Asked once, and only where room is wanted. */
  abstract isAuthenticated(): boolean | Promise<boolean>;
  /** Told that it was closed for want of room: it must let go of what it holds. */
  abstract refuse(): void;
}

/** What one peer address holds on this server. */
export class PeerAccount {
  bytes = 0;
  connections = 0;
  /** Oldest first. */
  readonly calls = new Set<BudgetedCall>();
  readonly peer: string;
  /** Where the threads count together what the peer holds. */
  readonly slot: number;

  constructor(peer: string, slot: number) {
    this.peer = peer;
    this.slot = slot;
  }
}

/** The budget of one server. */
export class UnauthenticatedBudget {
  readonly #limits: BudgetLimits;
  readonly #accounts = new Map<string, PeerAccount>();
  readonly #shared: SharedBudget | undefined;
  #bytes = 0;

  constructor(limits: BudgetLimits = DEFAULT_BUDGET, shared?: SharedBudget) {
    this.#limits = limits;
    this.#shared = shared;
  }

  /** What is held at present, by this server alone. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many accounts are kept. */
  get peers(): number {
    return this.#accounts.size;
  }

  /** The account of a connection's peer address; {@link leave} gives it back when the connection ends. */
  join(peerAddress: string): PeerAccount {
    const peer = peerOf(peerAddress);
    let account = this.#accounts.get(peer);
    if (account === undefined) {
      this.#accounts.set(peer, account = new PeerAccount(peer, this.#shared?.holdings.slotOf(peer) ?? 0));
    }
    account.connections++;
    return account;
  }

  /** Ends what {@link join} began, once for each. */
  leave(account: PeerAccount): void {
    if (--account.connections === 0) this.#accounts.delete(account.peer);
  }

  /** Counts a call from now on. It may be refused before this returns. */
  open(call: BudgetedCall, account: PeerAccount): void {
    call.account = account;
    account.calls.add(call);
    this.#charge(call, account, CALL_BYTES);
  }

  /** Counts a chunk that the call will hold. The call, or others in its place, may be refused before this returns. */
  add(call: BudgetedCall, chunkBytes: number): void {
    if (call.account !== null) this.#charge(call, call.account, chunkBytes + CHUNK_BYTES);
  }

  /** Gives back what the call was charged. Safe to repeat. */
  close(call: BudgetedCall): void {
    const { account } = call;
    if (account === null) return;
    account.calls.delete(call);
    this.#count(account, -call.bytes);
    call.account = null;
    call.bytes = 0;
  }

  /** Every call that counts, oldest first within its peer. */
  *calls(): Iterable<BudgetedCall> {
    for (const { calls } of this.#accounts.values()) yield* calls;
  }

  /** Closes calls while too much is held and enough of it here: another thread asks for it. */
  relieve(peer: string | null): void {
    const account = peer === null ? undefined : this.#accounts.get(peer);
    if (account !== undefined) this.#shedOfPeer(account);
    if (peer === null) this.#shedOfAll();
  }

  #charge(call: BudgetedCall, account: PeerAccount, bytes: number): void {
    call.bytes += bytes;
    this.#count(account, bytes);
    const isOver = this.#heldBy(account) > this.#limits.peerBytes || this.#heldByAll() > this.#limits.totalBytes;
    if (isOver) this.#makeRoom(call, account);
  }

  #count(account: PeerAccount, bytes: number): void {
    account.bytes += bytes;
    this.#bytes += bytes;
    this.#shared?.holdings.add(account.slot, bytes);
  }

  #heldBy(account: PeerAccount): number {
    return this.#shared === undefined ? account.bytes : this.#shared.holdings.ofPeer(account.slot);
  }

  #heldByAll(): number {
    return this.#shared === undefined ? this.#bytes : this.#shared.holdings.ofAll();
  }

  /**
   * A large call that wants more than there is goes itself: a message that is nearly there must not fall to one that
   * has just begun. For a small one the largest goes, or hoarders would shut everybody else out.
   */
  #makeRoom(call: BudgetedCall, account: PeerAccount): void {
    if (call.bytes > SMALL_CALL_BYTES) return this.#shed(call);
    if (!this.#shedOfPeer(account)) this.#shared?.wantRoom(account.peer);
    if (!this.#shedOfAll()) this.#shared?.wantRoom(null);
  }

  /** False: too much is still held, on other threads. */
  #shedOfPeer(account: PeerAccount): boolean {
    while (this.#heldBy(account) > this.#limits.peerBytes) {
      if (!this.#isShare(account.bytes, this.#heldBy(account))) return false;
      this.#shed(heaviest(oldest(account.calls)));
    }
    return true;
  }

  #shedOfAll(): boolean {
    while (this.#heldByAll() > this.#limits.totalBytes) {
      if (!this.#isShare(this.#bytes, this.#heldByAll())) return false;
      this.#shed(heaviest(oldest(heaviest(this.#accounts.values()).calls)));
    }
    return true;
  }

  /** Whether at least an equal share of what all hold is held here. On one of the threads it always is. */
  #isShare(ours: number, all: number): boolean {
    return ours * (this.#shared?.holdings.threads ?? 1) >= all;
  }

  #shed(call: BudgetedCall): void {
    this.close(call);
    unlessTrue(call.isAuthenticated(), () => call.refuse());
  }
}

function* oldest(calls: Iterable<BudgetedCall>): Iterable<BudgetedCall> {
  let left = CALLS_LOOKED_AT;
  for (const call of calls) {
    yield call;
    if (--left === 0) return;
  }
}

/** There is always one: who asks has just counted something. */
function heaviest<T extends { readonly bytes: number }>(candidates: Iterable<T>): T {
  let found: T | undefined;
  for (const candidate of candidates) if (found === undefined || candidate.bytes > found.bytes) found = candidate;
  return found!;
}

/**
 * Whom an address stands for. An IPv6 network of 64 bits is one customer's, who may use any of its addresses; a
 * dual-stack socket shows IPv4 addresses in IPv6 form.
 */
export function peerOf(address: string): string {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  return bare.includes(":") ? `${networkOf(bare)}::/64` : bare;
}

function networkOf(address: string): string {
  const [head = [], tail = []] = address.toLowerCase().split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill("0");
  return [...head, ...zeros, ...tail].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
