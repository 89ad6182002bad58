/**
 * Values that may have to be waited for. Most requests are answered from memory; making each of them wait for a turn of
 * its own would cost a third of the rate.
 *
 * @module
 */

/** A value, or the promise of one. */
export type Maybe<T> = T | Promise<T>;

/** Goes on with a value: at once where it is there. */
export function chain<A, B>(value: Maybe<A>, next: (value: A) => Maybe<B>): Maybe<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}
