/**
 * The thread that hashes passwords: tens of milliseconds each, which the event loop must not lose.
 *
 * @module
 */

import { argon2id, argon2Verify, bcryptVerify } from "hash-wasm";
import { ARGON2, bcryptCost } from "./password_hash.ts";

/** What the thread is asked. */
export type PasswordTask =
  | { readonly id: number; readonly password: string; readonly salt: Uint8Array }
  | { readonly id: number; readonly password: string; readonly hash: string };

/** What it answers: a hash, or whether the password fits. */
export interface PasswordAnswer {
  readonly id: number;
  readonly result: string | boolean | null;
}

const thread = self as unknown as {
  onmessage: ((event: MessageEvent<PasswordTask>) => void) | null;
  postMessage(answer: PasswordAnswer): void;
};

thread.onmessage = async ({ data }) => {
  thread.postMessage({ id: data.id, result: await perform(data) });
};

/** Null: it couldn't be done; what was asked never shows in an error. */
async function perform(task: PasswordTask): Promise<string | boolean | null> {
  const { password } = task;
  try {
    if ("salt" in task) return await argon2id({ ...ARGON2, password, salt: task.salt, outputType: "encoded" });
    const { hash } = task;
    if (bcryptCost(hash) === undefined) return await argon2Verify({ password, hash });
    return await bcryptVerify({ password, hash });
  } catch {
    return null;
  }
}
