/**
 * How much the calls of strangers may make this process hold, counted in bytes. Pure accounting: it sees no stream.
 *
 * gRPC authenticates a call when its whole message is there, and a message may have 256 MiB. Without a common bound,
 * a few dozen clients that each hold back their last byte would fill the memory of the machine.
 *
 * @module
 */

const MIB = 1024 * 1024;

/** What an open call costs before its first byte: the stream, its headers and the objects around them. */
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

/** A call that counts against the budget until it is closed. */
export abstract class BudgetedCall {
  /** What it is charged. */
  bytes = 0;
  /** Null while it does not count. */
  account: PeerAccount | null = null;

  /** Whether its caller is known after all, and it need not count. Asked once, and only where room is wanted. */
  abstract isAuthenticated(): boolean;
  /** Told that it was closed for want of room: it must let go of what it holds. */
  abstract refuse(): void;
}

/** What one peer address holds. */
export class PeerAccount {
  bytes = 0;
  connections = 0;
  /** Oldest first. */
  readonly calls = new Set<BudgetedCall>();
  readonly peer: string;

  constructor(peer: string) {
    this.peer = peer;
  }
}

/** The budget of one server. */
export class UnauthenticatedBudget {
  readonly #limits: BudgetLimits;
  readonly #accounts = new Map<string, PeerAccount>();
  #bytes = 0;

  constructor(limits: BudgetLimits = DEFAULT_BUDGET) {
    this.#limits = limits;
  }

  /** What is held at present. */
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
    if (account === undefined) this.#accounts.set(peer, account = new PeerAccount(peer));
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
    account.bytes -= call.bytes;
    this.#bytes -= call.bytes;
    call.account = null;
    call.bytes = 0;
  }

  /** Every call that counts, oldest first within its peer. */
  *calls(): Iterable<BudgetedCall> {
    for (const { calls } of this.#accounts.values()) yield* calls;
  }

  #charge(call: BudgetedCall, account: PeerAccount, bytes: number): void {
    call.bytes += bytes;
    account.bytes += bytes;
    this.#bytes += bytes;
    if (account.bytes > this.#limits.peerBytes || this.#bytes > this.#limits.totalBytes) this.#makeRoom(call, account);
  }

  /**
   * A large call that wants more than there is goes itself: a message that is nearly there must not fall to one that
   * has just begun. For a small one the largest goes, or hoarders would shut everybody else out.
   */
  #makeRoom(call: BudgetedCall, account: PeerAccount): void {
    if (call.bytes > SMALL_CALL_BYTES) return this.#shed(call);
    while (account.bytes > this.#limits.peerBytes) this.#shed(heaviest(oldest(account.calls)));
    while (this.#bytes > this.#limits.totalBytes) {
      this.#shed(heaviest(oldest(heaviest(this.#accounts.values()).calls)));
    }
  }

  #shed(call: BudgetedCall): void {
    this.close(call);
    if (!call.isAuthenticated()) call.refuse();
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
function peerOf(address: string): string {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  return bare.includes(":") ? `${networkOf(bare)}::/64` : bare;
}

function networkOf(address: string): string {
  const [head = [], tail = []] = address.toLowerCase().split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill("0");
  return [...head, ...zeros, ...tail].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
