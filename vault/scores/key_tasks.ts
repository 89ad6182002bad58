/**
 * Making and checking key sets off the event loop, each in a thread of its own that ends with the task.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { KeySetFacts, KeySetFiles } from "./key_files.ts";
import { assertKeyDimension, type KeyProgress, type KeySetRequest, type NewKeySetFiles } from "./key_generation.ts";
import { assertKeyId } from "./key_envelope.ts";
import { ScoreThread, scoreWorkerUrl } from "./score_thread.ts";
import type { Task } from "./worker_messages.ts";

/** What every task in a thread of its own accepts. */
export interface KeyTaskOptions {
  /** Ends the thread, and the task with `cancelled`. */
  readonly signal?: AbortSignal;
  /** Another worker file, for tests. */
  readonly workerUrl?: string;
}

async function runAlone(task: Task, options: KeyTaskOptions, onProgress?: KeyProgress): Promise<unknown> {
  const cancelled = new VaultError("cancelled", "The request was cancelled");
  if (options.signal?.aborted) throw cancelled;
  const thread = new ScoreThread(options.workerUrl ?? scoreWorkerUrl());
  const abandon = () => thread.end(cancelled);
  options.signal?.addEventListener("abort", abandon);
  try {
    return await thread.run(task, onProgress);
  } finally {
    options.signal?.removeEventListener("abort", abandon);
    thread.end(cancelled);
  }
}

/**
 * Makes a fresh key set with the system's randomness.
 *
 * @param onProgress Called after each switching key.
 * @throws {VaultError} `invalid_argument` for a dimension or key id that is not allowed; `cancelled`.
 */
export async function generateKeySetInThread(
  request: KeySetRequest,
  options: KeyTaskOptions & { readonly onProgress?: KeyProgress } = {},
): Promise<NewKeySetFiles> {
  assertKeyDimension(request.dimension);
  assertKeyId(request.keyId);
  return await runAlone({ kind: "generate", request }, options, options.onProgress) as NewKeySetFiles;
}

/**
 * Reads a key set and checks that its files are whole and belong together.
 *
 * @throws {VaultError} `invalid_argument` naming the file that is wrong; `cancelled`.
 */
export async function inspectKeySetInThread(files: KeySetFiles, options: KeyTaskOptions = {}): Promise<KeySetFacts> {
  return await runAlone({ kind: "inspect", files }, options) as KeySetFacts;
}
