/**
 * Whose envelopes a call opened, for its entry in the trail.
 *
 * @module
 */

/** So many are named; a batch may hold envelopes of a hundred thousand. */
const MAX_NAMED = 200;

/** Counts envelopes by the agent that sealed them. */
export class OpenedAgents {
  readonly #counts = new Map<string, number>();
  #others = 0;

  /** So many envelopes of one agent. Its id has passed the parser, so it is 32 hex digits. */
  note(agentId: string, envelopes: number): void {
    const before = this.#counts.get(agentId);
    if (before === undefined && this.#counts.size >= MAX_NAMED) this.#others += envelopes;
    else this.#counts.set(agentId, (before ?? 0) + envelopes);
  }

  /** Counts by agent id, and how many envelopes of others there were. */
  toJSON(): Record<string, number> {
    return { ...Object.fromEntries(this.#counts), ...(this.#others === 0 ? {} : { others: this.#others }) };
  }
}
