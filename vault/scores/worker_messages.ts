/**
 * What the threads of the score domain and their owner say to each other.
 *
 * Structured cloning keeps the data of an error and loses its class, so failures travel as {@link Failure}.
 *
 * @module
 */

import { VaultError, type VaultErrorKind } from "../errors.ts";
import type { KeySetRequest } from "./key_generation.ts";
import type { KeySetFiles } from "./key_files.ts";
import type { OpeningKey } from "./score_opener.ts";

/** Replaces the keys that later `open` tasks use. Not answered. */
export interface KeysMessage {
  readonly kind: "keys";
  readonly keys: readonly OpeningKey[];
}

/** Decrypt a score ciphertext. Word 0 of `stop` becomes 1 when nobody waits for the answer any more. */
export interface OpenTask {
  readonly kind: "open";
  readonly blobBase64: string;
  readonly topK: number;
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/** Make a key set. */
export interface GenerateTask {
  readonly kind: "generate";
  readonly request: KeySetRequest;
}

/** Check a key set. */
export interface InspectTask {
  readonly kind: "inspect";
  readonly files: KeySetFiles;
}

/** A thread works on one task at a time and answers each with exactly one `done` or `failed`. */
export type Task = OpenTask | GenerateTask | InspectTask;

/** What a thread receives. */
export type ToWorker = KeysMessage | Task;

/** What a thread sends. */
export type FromWorker =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly failure: Failure };

/** An error on its way between threads. */
export interface Failure {
  readonly kind: VaultErrorKind;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;
  /** For logs: what an unforeseen error said. */
  readonly cause: string | undefined;
}

/** Takes an error apart. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof VaultError) {
    const { kind, message, data, hint } = thrown;
    return { kind, message, data, hint, cause: undefined };
  }
  const cause = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
  return { kind: "internal", message: "The score worker failed", data: {}, hint: undefined, cause };
}

/** Puts an error together again. */
export function fromFailure({ kind, message, data, hint, cause }: Failure): VaultError {
  return new VaultError(kind, message, {
    data,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}
