/**
 * How long a token lives. All in seconds; the clock alone is in milliseconds.
 *
 * @module
 */

/** What is asked of a token's life, and what bounds it. */
export interface LifetimeInput {
  /** 0: the default. */
  readonly ttl: number;
  /** 0: none. Counted from the making; the token never outlives it. */
  readonly explicitMaxTtl: number;
  /** 0: not periodic. */
  readonly period: number;
  readonly defaultTtl: number;
  /** The least of the maxima of system, mount, user and role. */
  readonly maxTtl: number;
}

/** What is granted. */
export interface Lifetime {
  readonly ttl: number;
  /** What was asked for, where less is granted. */
  readonly cappedFrom?: number;
  /** What capped it. */
  readonly effectiveMax?: number;
}

/** The life that a new token gets. */
export function initialLifetime(input: LifetimeInput): Lifetime {
  const wanted = input.period > 0 ? input.period : input.ttl > 0 ? input.ttl : input.defaultTtl;
  return capped(wanted, effectiveMax(input, 0), input.ttl > 0 || input.explicitMaxTtl > 0);
}

/** The life that a renewal grants, from now on; `ageSeconds` is how long the token has lived. */
export function renewedLifetime(input: LifetimeInput, increment: number, ageSeconds: number): Lifetime {
  const wanted = input.period > 0 ? input.period : increment > 0 ? increment : input.ttl;
  return capped(wanted, effectiveMax(input, ageSeconds), true);
}

/** A periodic token has no maximum but an explicit one. */
function effectiveMax({ period, explicitMaxTtl, maxTtl }: LifetimeInput, ageSeconds: number): number {
  const limits = [
    ...(period > 0 ? [] : [maxTtl - ageSeconds]),
    ...(explicitMaxTtl > 0 ? [explicitMaxTtl - ageSeconds] : []),
  ];
  return Math.max(0, Math.min(Infinity, ...limits));
}

function capped(wanted: number, max: number, isWorthTelling: boolean): Lifetime {
  if (wanted <= max) return { ttl: wanted };
  return isWorthTelling ? { ttl: max, cappedFrom: wanted, effectiveMax: max } : { ttl: max };
}
