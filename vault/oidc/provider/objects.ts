/**
 * What the provider's objects have in common: a table of records by name, changed in the writer's turn.
 *
 * @module
 */

import type { IdentityRecords } from "../../storage/identity_records.ts";
import type { Write } from "../../storage/store.ts";
import type { Surroundings } from "../../tokens/token_service.ts";

/** The kinds of the provider's objects. */
export type ProviderObjectKind = "oidc_scope" | "oidc_client" | "oidc_assignment" | "oidc_provider";

/** Objects of one kind. */
export class ProviderObjects<K extends ProviderObjectKind> {
  readonly #in: Surroundings;
  readonly #kind: K;

  constructor(surroundings: Surroundings, kind: K) {
    this.#in = surroundings;
    this.#kind = kind;
  }

  /** One by its name. */
  get(name: string): IdentityRecords[K] | undefined {
    return this.#table().get(name);
  }

  /** All of them. */
  all(): IdentityRecords[K][] {
    return [...this.#table().values()];
  }

  /** Their names. */
  list(): string[] {
    return [...this.#table().keys()].sort();
  }

  /**
   * Puts what `update` makes of the present record.
   *
   * @param update In the writer's turn; it throws to refuse.
   */
  put(name: string, update: (before: IdentityRecords[K] | undefined) => IdentityRecords[K]): Promise<void> {
    return this.#in.writer.change(() => {
      const write = { kind: this.#kind, key: name, value: update(this.get(name)) } as Write;
      return { writes: [write], result: () => {} };
    });
  }

  /**
   * Deletes one; absent: nothing.
   *
   * @param assertFree In the writer's turn; it throws where something still refers to it.
   */
  delete(name: string, assertFree: () => void = () => {}): Promise<void> {
    return this.#in.writer.change(() => {
      if (this.get(name) === undefined) return { writes: [], result: () => {} };
      assertFree();
      return { writes: [{ kind: this.#kind, key: name } as Write], result: () => {} };
    });
  }

  #table(): ReadonlyMap<string, IdentityRecords[K]> {
    return this.#in.state.table(this.#kind);
  }
}
