/**
 * What is counted of the identity API. Counting is one look-up and a few additions; the text is made when it is asked for.
 *
 * @module
 */

import type { UserLabels } from "./user_labels.ts";

/** One finished request of the identity API. */
export interface FinishedApiRequest {
  /** The mount's type and the route's template: few, whatever is asked. */
  readonly route: string;
  readonly operation: string;
  /** A user's name, or `unknown`. */
  readonly user: string;
  readonly status: number;
  readonly seconds: number;
}

const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Durations {
  /** One more than there are bounds: the last is everything above. */
  readonly counts: number[];
  sum: number;
}

/** Requests by route, operation, user and outcome, and how long they took. */
export class ApiMetrics {
  readonly #requests = new Map<string, Map<string, number>>();
  readonly #durations = new Map<string, Durations>();
  readonly #users: UserLabels;

  constructor(users: UserLabels) {
    this.#users = users;
  }

  /** Counts one finished request. */
  observe({ route, operation, user, status, seconds }: FinishedApiRequest): void {
    const where = `${operation} ${route}`;
    const who = `${status < 400 ? "success" : "error"} ${this.#users.of(user)}`;
    const counts = this.#requests.get(where) ?? new Map<string, number>();
    if (counts.size === 0) this.#requests.set(where, counts);
    counts.set(who, (counts.get(who) ?? 0) + 1);
    const durations = this.#durations.get(where) ?? { counts: new Array<number>(BOUNDS.length + 1).fill(0), sum: 0 };
    if (durations.sum === 0) this.#durations.set(where, durations);
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]!) bucket++;
    durations.counts[bucket]!++;
    durations.sum += seconds;
  }

  /** The Prometheus text format, version 0.0.4. */
  render(): string {
    const lines = [
      "# HELP runevault_api_requests_total Requests of the identity API answered",
      "# TYPE runevault_api_requests_total counter",
    ];
    for (const [where, counts] of this.#requests) {
      for (const [who, count] of counts) {
        const [status, user] = split(who);
        const labels = `${labelsOf(where)},status="${status}",user="${escaped(user)}"`;
        lines.push(`runevault_api_requests_total{${labels}} ${count}`);
      }
    }
    lines.push(
      "# HELP runevault_api_request_duration_seconds Time from a request's arrival to its answer",
      "# TYPE runevault_api_request_duration_seconds histogram",
    );
    for (const [where, durations] of this.#durations) lines.push(...histogram(labelsOf(where), durations));
    return `${lines.join("\n")}\n`;
  }
}

function histogram(labels: string, { counts, sum }: Durations): string[] {
  const name = "runevault_api_request_duration_seconds";
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    return `${name}_bucket{${labels},le="${BOUNDS[i] ?? "+Inf"}"} ${total}`;
  });
  return [...buckets, `${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${total}`];
}

function labelsOf(where: string): string {
  const [operation, route] = split(where);
  return `operation="${operation}",route="${escaped(route)}"`;
}

/** Names may have spaces, what stands before them has none. */
function split(text: string): [string, string] {
  const at = text.indexOf(" ");
  return [text.slice(0, at), text.slice(at + 1)];
}

function escaped(value: string): string {
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
