/**
 * Whose connection makes room where a house is full: an order in which nobody can push out another by coming often.
 *
 * Who has authenticated stays as long as anybody is there who hasn't. Among those who haven't, the address with the most of
 * them pays, so that no address can take the places of another. Of that address' connections those pay that came as
 * far as most did, the oldest of them first: a flood of silent ones pays with silent ones, and whoever behind the same
 * address says more than the flood does is spared.
 *
 * @module
 */

/** How far a connection has come. Only the last is worth anything: the others can be had by anybody. */
export type Stage = "silent" | "spoken" | "called" | "known";

/** A connection as far as it matters who goes. */
export interface Guest {
  /** Whose it is; the same object for all connections of an address. */
  readonly account: object;
  /** Milliseconds, as all times here. */
  readonly acceptedAt: number;
  stage: Stage;
  /** Calls that are open on it. */
  openCalls: number;
  /** When its last call began or ended; null before the first. */
  calledAt: number | null;
}

/** When a connection may go, at a time that the caller knows. */
export interface Patience<G extends Guest> {
  /** Whether a connection that has not authenticated, and has no open call, had the time to say something. */
  readonly hadItsChance: (guest: G) => boolean;
  /** A connection that has not authenticated may have open calls, if it was accepted by then. */
  readonly busyUntil: number;
  /** A connection that has authenticated may go, if it was idle by then. */
  readonly idleUntil: number;
}

/** The connections of one address that have not authenticated, oldest first in each stage. */
class Strangers<G extends Guest> {
  readonly silent = new Set<G>();
  readonly spoken = new Set<G>();
  readonly called = new Set<G>();
  size = 0;

  add(guest: G): void {
    this.#at(guest).add(guest);
    this.size++;
  }

  delete(guest: G): boolean {
    const isHere = this.#at(guest).delete(guest);
    if (isHere) this.size--;
    return isHere;
  }

  /** Who goes first; undefined: nobody had a chance yet. The largest stage pays, or where it can't the next one. */
  firstToGo(patience: Patience<G>): G | undefined {
    const stages = [this.silent, this.spoken, this.called].sort((one, other) => other.size - one.size);
    for (const stage of stages) {
      const found = oldest(stage, patience);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #at({ stage }: G): Set<G> {
    return stage === "silent" ? this.silent : stage === "spoken" ? this.spoken : this.called;
  }
}

/** The connections of all addresses. Who has been there longer stands first, also among addresses. */
export class Crowds<G extends Guest> {
  readonly #strangers = new Map<object, Strangers<G>>();
  readonly #known = new Map<object, Set<G>>();

  /** Takes in a connection. */
  add(guest: G): void {
    if (guest.stage === "known") entryOf(this.#known, guest.account, () => new Set()).add(guest);
    else entryOf(this.#strangers, guest.account, () => new Strangers()).add(guest);
  }

  /** Forgets a connection; false: it was not here. */
  remove(guest: G): boolean {
    const crowds = guest.stage === "known" ? this.#known : this.#strangers;
    const crowd = crowds.get(guest.account);
    const isHere = crowd?.delete(guest) ?? false;
    if (isHere && crowd?.size === 0) crowds.delete(guest.account);
    return isHere;
  }

  /** Says how far a connection has come. One that is not here any more only learns it. */
  advance(guest: G, stage: Stage): void {
    const isHere = this.remove(guest);
    guest.stage = stage;
    if (isHere) this.add(guest);
  }

  /** Who goes for a newcomer of an account; undefined: nobody, and the newcomer has no place. */
  firstToGo(newcomer: object, patience: Patience<G>): G | undefined {
    if (this.#strangers.size > 0) return payer(this.#strangers, newcomer, (crowd) => crowd.firstToGo(patience));
    return payer(this.#known, newcomer, (crowd) => longestIdle(crowd, patience));
  }
}

/** Of the address with the most; none pays for a newcomer whose address would then have more than they. */
function payer<C extends { readonly size: number }, G>(
  crowds: ReadonlyMap<object, C>,
  newcomer: object,
  firstToGo: (crowd: C) => G | undefined,
): G | undefined {
  const own = crowds.get(newcomer);
  let [most, found]: [number, G | undefined] = [own?.size ?? 0, undefined];
  for (const crowd of crowds.values()) {
    const weight = crowd === own ? crowd.size + 1 : crowd.size;
    if (weight <= most) continue;
    const candidate = firstToGo(crowd);
    if (candidate !== undefined) [most, found] = [weight, candidate];
  }
  return found;
}

function oldest<G extends Guest>(guests: ReadonlySet<G>, { hadItsChance, busyUntil }: Patience<G>): G | undefined {
  for (const guest of guests) {
    if (!hadItsChance(guest)) return undefined;
    if (guest.openCalls === 0 || guest.acceptedAt <= busyUntil) return guest;
  }
  return undefined;
}

function longestIdle<G extends Guest>(guests: ReadonlySet<G>, { idleUntil }: Patience<G>): G | undefined {
  let found: G | undefined;
  for (const guest of guests) {
    if (guest.openCalls > 0 || lastSeen(guest) > idleUntil) continue;
    if (found === undefined || lastSeen(guest) < lastSeen(found)) found = guest;
  }
  return found;
}

function lastSeen({ calledAt, acceptedAt }: Guest): number {
  return calledAt ?? acceptedAt;
}

function entryOf<V>(map: Map<object, V>, key: object, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
