/**
 * The durable half of the vault: an asynchronous, transactional map of records.
 *
 * Reads of the running vault come from memory (`vault/state.ts`); a store is read once at start and written before
 * every acknowledgement. Nothing outside this room knows which store it is. `store_conformance.ts` under `tests/`
 * is the suite that every implementation passes.
 *
 * @module
 */

import type { RecordKind, Records } from "./records.ts";

/** Puts a record, or deletes it where `value` is absent. */
export type Write = {
  [K in RecordKind]: { readonly kind: K; readonly key: string; readonly value?: Records[K] };
}[RecordKind];

/** A record with its key. */
export interface Row<K extends RecordKind> {
  readonly key: string;
  readonly value: Records[K];
}

/** What a store does. */
export interface Store {
  /** The number of changes committed so far. */
  sequence(): Promise<number>;

  /** Every record of a kind in key order, in pages small enough not to hold up the event loop. */
  read<K extends RecordKind>(kind: K): AsyncIterable<readonly Row<K>[]>;

  /** One record, or undefined. */
  get<K extends RecordKind>(kind: K, key: string): Promise<Records[K] | undefined>;

  /**
   * Commits all writes or none; when it resolves they survive a power cut.
   *
   * @param expectedSequence The sequence that the writes were computed from.
   * @returns The new sequence.
   * @throws {VaultError} `storage_failed` when nothing was written: the disk refused, or somebody else committed first.
   */
  commit(writes: readonly Write[], expectedSequence: number): Promise<number>;

  /** Flushes and lets go of the files. Safe to repeat. */
  close(): Promise<void>;
}
