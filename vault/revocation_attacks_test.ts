/**
 * Attacks on the end of a token, each tried as its former holder would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { refused, withVault } from "./_test_support.ts";

Deno.test("attack: use a token of an epoch that is over, though its own row says nothing of an end", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("mallory");
    const caller = it.identify(token);
    const { record } = caller.user;
    // As a later part of the program raises it for a cut-off: the user's row alone, in one write.
    const write = { kind: "user", key: record.entityId, value: { ...record, epoch: record.epoch + 1 } } as const;
    it.vault.state.apply([write], await it.store.commit([write], it.vault.state.sequence));
    assert.throws(() => it.identify(token), refused("token_invalid"));
    assert.throws(() => it.vault.authenticator.assertStillLive(caller), refused("token_invalid"));
    await it.restart();
    assert.throws(() => it.identify(token), refused("token_invalid"));
  });
});

Deno.test("attack: go on with the token in grace after a revocation", async () => {
  await withVault({}, async (it) => {
    const old = await it.issue("mallory");
    await it.vault.tokens.rotate({ user: "mallory", graceSeconds: 86_400 });
    const caller = it.identify(old);
    await it.vault.tokens.revoke("mallory");
    assert.throws(() => it.identify(old), refused("token_invalid"));
    assert.throws(
      () => it.vault.authenticator.assertStillLive(caller),
      refused("token_invalid"),
      "nor does a call in flight",
    );
    await it.issue("mallory");
    assert.equal(it.works(old), false, "nor after a new token was issued to the same user");
  });
});

Deno.test("attack: have the process killed right after a revocation was answered", async () => {
  await withVault({}, async (it) => {
    const tokens = [await it.issue("a"), await it.issue("b"), await it.issue("c")];
    await it.tokensFile();
    await it.vault.tokens.revoke("a");
    await it.vault.tokens.rotate({ user: "b" });
    await it.vault.users.disable("c");
    await it.restart();
    assert.deepEqual(tokens.map((token) => it.works(token)), [false, false, false]);
  });
});
