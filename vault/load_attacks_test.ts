/**
 * Attacks by work and state, each tried as a user who wants more than their share would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ownNow } from "../tests/own_time.ts";
import { longestPause, openedTexts, refused, report, TEAM_SECRET, type TestVault, withVault } from "./_test_support.ts";

const everyEnvelopeOf = (it: TestVault, token: string) => ({ user: it.identify(token).user, ownOnly: false });

Deno.test("attack: push the keys in use out of the cache with a flood of invented agents", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const token = await it.issue("alice");
    const caller = it.identify(token);
    const right = { user: caller.user, ownOnly: false };
    const own = await it.vault.envelopes.seal(["x"], caller.agentId);
    await it.vault.envelopes.open(own, right);
    // An IV and nothing after it is an empty text under every key.
    const c = Buffer.alloc(16).toString("base64");
    const invented = Array.from(
      { length: 21_000 },
      (_, i) => JSON.stringify({ a: i.toString(16).padStart(32, "0"), c }),
    );
    const heapBefore = Deno.memoryUsage().heapUsed;
    const { pauseMs } = await longestPause(() => it.vault.envelopes.open(invented, right));
    const grownMb = (Deno.memoryUsage().heapUsed - heapBefore) / 1e6;
    report(`21,000 invented agents: heap grew ${grownMb.toFixed(1)} MB, longest pause ${pauseMs.toFixed(1)} ms`);
    // A key that is cached opens without a turn of the event loop: no other can.
    let isOpen = false;
    it.vault.envelopes.open(own, right).then(() => isOpen = true);
    for (let i = 0; i < 10; i++) await Promise.resolve();
    assert.ok(isOpen, "alice's key is still at hand");
  });
});

Deno.test("attack: hold everybody else up with one huge batch", async () => {
  await withVault({ suppliedSecret: TEAM_SECRET }, async (it) => {
    const [mallory, alice] = [await it.issue("mallory"), await it.issue("alice")];
    const [envelope] = await it.vault.envelopes.seal(["x"], it.identify(mallory).agentId);
    const leaving = new AbortController();
    const batch = Array.from({ length: 2_000_000 }, () => envelope!);
    const running = it.vault.envelopes.open(batch, everyEnvelopeOf(it, mallory), leaving.signal).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    const began = ownNow();
    const own = await it.vault.envelopes.seal(["hello"], it.identify(alice).agentId);
    assert.deepEqual(await openedTexts(it.vault.envelopes, own, everyEnvelopeOf(it, alice)), ["hello"]);
    await it.vault.tokens.revoke("mallory");
    const tookMs = ownNow() - began;
    report(`sealed, opened and revoked beside a batch of two million in ${tookMs.toFixed(1)} ms`);
    leaving.abort();
    await running;
    assert.ok(tookMs < 3000, `${tookMs} ms`);
  });
});

Deno.test("attack: call twice as often by rotating with a grace and using both tokens", async () => {
  await withVault({}, async (it) => {
    const { authenticator, roles, tokens } = it.vault;
    await roles.create({ name: "slow", scope: ["get_bundle"], topK: 1, rateLimit: "10/60s" });
    const held = [await it.issue("mallory", "slow")];
    const call = (token: string) => authenticator.takePlace(it.identify(token));
    for (let i = 0; i < 6; i++) call(held[0]!);
    held.push((await tokens.rotate({ user: "mallory", graceSeconds: 3600 })).token);
    for (let i = 0; i < 4; i++) call(held[i % 2]!);
    for (const token of held) assert.throws(() => call(token), refused("rate_limited"));
    held.push((await tokens.rotate({ user: "mallory" })).token);
    assert.throws(() => call(held[2]!), refused("rate_limited"), "a new token brings no new allowance");
    await tokens.revoke("mallory");
    const again = await it.issue("mallory", "slow");
    assert.throws(() => call(again), refused("rate_limited"), "nor does a new issue to the same user");
    it.clock.advance(60_000);
    call(again);
  });
});

Deno.test("attack: use up a user's allowance by guessing, or by calling in their name without their token", async () => {
  await withVault({}, async (it) => {
    await it.vault.roles.create({ name: "slow", scope: ["get_bundle"], topK: 1, rateLimit: "1/60s" });
    const token = await it.issue("alice", "slow");
    for (let i = 0; i < 1000; i++) {
      assert.throws(() => it.identify(`evt_${i.toString(16).padStart(32, "0")}`), refused("token_invalid"));
    }
    it.vault.authenticator.takePlace(it.identify(token));
  });
});
