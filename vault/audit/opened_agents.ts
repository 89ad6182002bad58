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
  readonly #cutOff = new Set<string>();
  #others = 0;

  /** Entity ids of authors who were cut off (S16); nothing in an entry where there are none. */
  readonly cutOffAuthors = {
    toJSON: (): string[] | undefined => this.#cutOff.size === 0 ? undefined : [...this.#cutOff],
  };

  /** So many envelopes of one agent. Its id has passed the parser, so it is 32 hex digits. */
  note(agentId: string, envelopes: number): void {
    const before = this.#counts.get(agentId);
    if (before === undefined && this.#counts.size >= MAX_NAMED) this.#others += envelopes;
    else this.#counts.set(agentId, (before ?? 0) + envelopes);
  }

  /** One of the authors was cut off. */
  noteCutOff(entityId: string): void {
    if (this.#cutOff.size < MAX_NAMED) this.#cutOff.add(entityId);
  }

  /** Counts by agent id, and how many envelopes of others there were. */
  toJSON(): Record<string, number> {
    return { ...Object.fromEntries(this.#counts), ...(this.#others === 0 ? {} : { others: this.#others }) };
  }
}
