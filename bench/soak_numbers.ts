/**
 * What a soak makes of its readings: quantiles, and a slope with its error.
 *
 * @module
 */

/** A straight line through readings. */
export interface Slope {
  /** Of the reading, an hour. */
  readonly perHour: number;
  /** Twice its standard error, an hour: within it the slope can't be told from none. */
  readonly errorPerHour: number;
}

/** The value that a share of the sorted values does not exceed; NaN of none. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/**
 * Least squares through readings at moments in minutes. Neighbouring readings of a process are alike, so each tells less
 * than one: the error counts as many as their correlation leaves (Box, Jenkins: AR(1)).
 */
export function slopeOf(minutes: readonly number[], values: readonly number[]): Slope {
  const n = values.length;
  const mean = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0) / all.length;
  const [meanX, meanY] = [mean(minutes), mean(values)];
  const sumXX = minutes.reduce((sum, x) => sum + (x - meanX) ** 2, 0);
  const perMinute = minutes.reduce((sum, x, i) => sum + (x - meanX) * (values[i]! - meanY), 0) / sumXX;
  const rests = values.map((y, i) => y - meanY - perMinute * (minutes[i]! - meanX));
  const squares = rests.reduce((sum, rest) => sum + rest * rest, 0);
  const alike = squares === 0 ? 0 : rests.slice(1).reduce((sum, rest, i) => sum + rest * rests[i]!, 0) / squares;
  const correlation = Math.min(0.9, Math.max(0, alike));
  const worth = Math.max(3, n * (1 - correlation) / (1 + correlation));
  const deviation = Math.sqrt(squares / n / (worth - 2) / (sumXX / n));
  return { perHour: perMinute * 60, errorPerHour: 2 * deviation * 60 };
}
