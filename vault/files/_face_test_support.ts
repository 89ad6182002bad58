/**
 * What the tests of the YAML files' face and of edits share.
 *
 * @module
 */

import assert from "node:assert/strict";
import { MemoryStore } from "../../tests/fakes/memory_store.ts";
import type { TestVault } from "../_test_support.ts";
import type { Write } from "../storage/store.ts";
import { hashToken } from "../tokens/user_token.ts";

/** Rewrites a YAML file as an operator with an editor does. */
export async function edit(path: string, change: (text: string) => string): Promise<string> {
  const before = await Deno.readTextFile(path);
  const after = change(before);
  assert.notEqual(after, before, "the edit changes something");
  await Deno.writeTextFile(path, after);
  return after;
}

/** A row as an operator types it: with the token itself. */
export function plainRow(user: string, token: string, role = "member"): string {
  return `  - user: ${user}\n    token: ${token}\n    role: ${role}\n`;
}

/** A row with a hash, as it stands in files of ours. */
export function hashedRow(user: string, token: string, role = "member"): string {
  const hash = hashToken(token);
  return `  - user: ${user}\n    token_hash: sha256:${hash}\n    agent_id: '${hash.slice(0, 32)}'\n    role: ${role}\n`;
}

/** The text without a user's row. */
export function withoutRow(text: string, user: string): string {
  return text.replace(new RegExp(` {2}- user: ${user}\\n( {4}.*\\n)+`), "");
}

/** Edits the tokens file, which holds everything so far, and has the vault read it as on SIGHUP. */
export async function editTokens(it: TestVault, change: (text: string) => string): Promise<void> {
  await it.tokensFile();
  await edit(it.tokensPath, change);
  await it.vault.files.reload(false);
}

/** Expects that an edit was refused as a whole, and that nothing changed: neither store nor file. */
export async function refusedEdit(it: TestVault, change: (text: string) => string, reason: RegExp): Promise<void> {
  await it.vault.files.flush();
  const edited = await edit(it.tokensPath, change);
  const before = it.disk.sequence;
  await it.vault.files.reload(false);
  const { state, reason: told } = it.status("tokens");
  assert.equal(state, "refused");
  assert.match(told!, reason);
  await it.vault.files.flush();
  assert.equal(it.disk.sequence, before);
  assert.equal(await Deno.readTextFile(it.tokensPath), edited);
  await it.vault.files.discard("tokens");
}

/** Waits for something; throws where it doesn't come. */
export async function until(what: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!await what()) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A store that does something at the moment after a file's digest was committed, and before the file is renamed. */
export class InterruptedStore extends MemoryStore {
  afterDigest: (() => Promise<void>) | undefined;

  override async commit(writes: readonly Write[], expectedSequence: number): Promise<number> {
    const sequence = await super.commit(writes, expectedSequence);
    if (writes.length === 1 && writes[0]!.kind === "file") {
      const interrupt = this.afterDigest;
      this.afterDigest = undefined;
      await interrupt?.();
    }
    return sequence;
  }
}
