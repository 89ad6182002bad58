/**
 * What one user did, from the entries of their trail: what they opened and whose, which databases, from where.
 *
 * @module
 */

import type { StoredEntry } from "./entry.ts";

/** How often something was done, and when last. */
export interface Tally {
  readonly allowed: number;
  readonly refused: number;
  readonly last: string;
}

/** A report. */
export interface ActivityReport {
  readonly entries: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly operations: readonly (Tally & { readonly operation: string })[];
  /** Whose envelopes were opened, or tried; `user` is null for an author whom nobody knows. */
  readonly envelopes: readonly {
    readonly agent_id: string;
    readonly user: string | null;
    readonly envelopes: number;
  }[];
  readonly score_rows: number;
  readonly databases: readonly (Tally & { readonly path: string })[];
  readonly addresses: readonly (Tally & { readonly remote_address: string })[];
  readonly sessions: readonly (Tally & { readonly session_id: string })[];
}

/** Adds entries up. */
export class Report {
  readonly #ownerOf: (agentId: string) => string | undefined;
  readonly #operations = new Tallies();
  readonly #databases = new Tallies();
  readonly #addresses = new Tallies();
  readonly #sessions = new Tallies();
  readonly #envelopes = new Map<string, number>();
  #scoreRows = 0;
  #entries = 0;
  #first: string | null = null;
  #last: string | null = null;

  /** @param ownerOf Whose agent id it is. */
  constructor(ownerOf: (agentId: string) => string | undefined) {
    this.#ownerOf = ownerOf;
  }

  /** The next entry. */
  add(entry: StoredEntry): void {
    this.#entries++;
    this.#first ??= entry.time;
    this.#last = entry.time;
    this.#operations.add(entry.operation, entry);
    if (entry.remote_address !== undefined) this.#addresses.add(entry.remote_address, entry);
    if (entry.session_id !== undefined) this.#sessions.add(entry.session_id, entry);
    const { path, opened, rows } = entry.resource ?? {};
    if (typeof path === "string" && entry.operation.includes(" database/")) this.#databases.add(path, entry);
    if (typeof rows === "number" && entry.decision === "allowed") this.#scoreRows += rows;
    if (typeof opened === "object" && opened !== null) this.#addOpened(opened as Record<string, unknown>);
  }

  /** The report as it stands. */
  made(): ActivityReport {
    return {
      entries: this.#entries,
      first: this.#first,
      last: this.#last,
      operations: this.#operations.rows("operation"),
      envelopes: [...this.#envelopes].sort((a, b) => b[1] - a[1]).map(([agent_id, envelopes]) => ({
        agent_id,
        user: this.#ownerOf(agent_id) ?? null,
        envelopes,
      })),
      score_rows: this.#scoreRows,
      databases: this.#databases.rows("path"),
      addresses: this.#addresses.rows("remote_address"),
      sessions: this.#sessions.rows("session_id"),
    };
  }

  #addOpened(opened: Readonly<Record<string, unknown>>): void {
    for (const [agentId, count] of Object.entries(opened)) {
      if (typeof count !== "number") continue;
      this.#envelopes.set(agentId, (this.#envelopes.get(agentId) ?? 0) + count);
    }
  }
}

/** Tallies by name. */
class Tallies {
  readonly #tallies = new Map<string, { allowed: number; refused: number; last: string }>();

  add(name: string, { decision, time }: StoredEntry): void {
    const tally = this.#tallies.get(name) ?? { allowed: 0, refused: 0, last: time };
    if (decision === "allowed") tally.allowed++;
    else tally.refused++;
    tally.last = time;
    this.#tallies.set(name, tally);
  }

  /** The most frequent first. */
  rows<K extends string>(key: K): (Tally & Record<K, string>)[] {
    const total = ({ allowed, refused }: Tally) => allowed + refused;
    const rows = [...this.#tallies].sort((a, b) => total(b[1]) - total(a[1]));
    return rows.map(([name, tally]) => ({ [key]: name, ...tally }) as Tally & Record<K, string>);
  }
}
