import assert from "node:assert/strict";
import { refused, withVault } from "../_test_support.ts";
import { DAY_MS } from "../dates.ts";
import type { Scope } from "../roles/scope.ts";
import { hashToken, MAX_TOKEN_LENGTH } from "./user_token.ts";
import { ownNow } from "../../tests/own_time.ts";

Deno.test("Authenticator.identify() tells user, agent id and present role of a live token", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice", "admin");
    const caller = it.identify(token);
    assert.equal(caller.user.record.name, "alice");
    assert.equal(caller.role.name, "admin");
    assert.match(caller.agentId, /^[0-9a-f]{32}$/);
    await it.vault.roles.update("admin", { topK: 3 });
    assert.equal(it.identify(token).role.topK, 3, "a change of the role binds the next call");
  });
});

Deno.test("Authenticator.identify() refuses whatever isn't exactly a token, in the same words as an unknown one", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    const wrong = [
      "",
      " ",
      "evt_",
      `evt_${"0".repeat(32)}`,
      ` ${token}`,
      `${token} `,
      `${token}\0`,
      `${token}\n`,
      token.toUpperCase(),
      token.slice(0, -1),
      token.slice(4),
      `Bearer ${token}`,
      "x".repeat(MAX_TOKEN_LENGTH + 1),
      "x".repeat(10_000_000),
      "\ud800",
      "__proto__",
    ];
    for (const text of wrong) {
      assert.throws(
        () => it.identify(text),
        refused("token_invalid", /^Invalid token$/),
        JSON.stringify(text.slice(0, 50)),
      );
    }
    assert.ok(it.works(token));
  });
});

Deno.test("Authenticator.identify() looks at no text longer than a token may be: ten megabytes cost nothing", async () => {
  await withVault({}, (it) => {
    const long = "x".repeat(10_000_000);
    const began = ownNow();
    for (let i = 0; i < 1000; i++) assert.throws(() => it.identify(long));
    assert.ok(ownNow() - began < 1000);
    return Promise.resolve();
  });
});

Deno.test("Authenticator.identify() compares the whole hash, not only the half that is the agent id", async () => {
  const hash = hashToken("evt_presented").slice(0, 32) + "0".repeat(32);
  const tokens = `generation: 1
tokens:
  - {user: alice, token_hash: 'sha256:${hash}', agent_id: '${hash.slice(0, 32)}', role: member}
`;
  await withVault({ tokens }, (it) => {
    assert.equal(it.vault.tokens.show("alice").agentId, hash.slice(0, 32));
    assert.throws(() => it.identify("evt_presented"), refused("token_invalid"));
    return Promise.resolve();
  });
});

Deno.test("Authenticator.identify() takes a token through its last day and says afterwards that it expired", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice", "member", 1);
    const endOfLastDay = (Math.floor(it.clock.wall / DAY_MS) + 2) * DAY_MS;
    it.clock.wall = endOfLastDay - 1;
    it.identify(token);
    it.clock.wall = endOfLastDay;
    assert.throws(() => it.identify(token), refused("token_expired"));
    it.clock.wall += 1000 * DAY_MS;
    assert.throws(() => it.identify(token), refused("token_expired"));
  });
});

Deno.test("Authenticator.identify() refuses a disabled user's token as unknown until the user is enabled", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await it.vault.users.disable("alice");
    assert.throws(() => it.identify(token), refused("token_invalid"));
    await it.vault.users.enable("alice");
    it.identify(token);
  });
});

Deno.test("Authenticator.assertStillLive() refuses an answer to a caller whose token died while the call ran", async () => {
  await withVault({}, async (it) => {
    const { authenticator, tokens, users } = it.vault;
    const token = await it.issue("alice", "member", 1);
    const caller = it.identify(token);
    authenticator.assertStillLive(caller);
    await users.disable("alice");
    assert.throws(() => authenticator.assertStillLive(caller), refused("token_invalid"));
    await users.enable("alice");
    authenticator.assertStillLive(caller);
    it.clock.wall += 10 * DAY_MS;
    assert.throws(() => authenticator.assertStillLive(caller), refused("token_expired"));
    it.clock.wall -= 10 * DAY_MS;
    await tokens.revoke("alice");
    assert.throws(() => authenticator.assertStillLive(caller), refused("token_invalid"));
  });
});

Deno.test("Authenticator.takePlace() counts calls by the role as it is now and says how long to wait", async () => {
  await withVault({}, async (it) => {
    const { authenticator, roles } = it.vault;
    await roles.create({ name: "slow", scope: ["get_bundle"], topK: 1, rateLimit: "2/10s" });
    const token = await it.issue("alice", "slow");
    const call = () => authenticator.takePlace(it.identify(token));
    call();
    it.clock.advance(1500);
    call();
    assert.throws(call, refused("rate_limited", /./, { retryAfterSeconds: 9 }), "8.5 s, rounded up");
    it.clock.advance(8499.5);
    assert.throws(call, refused("rate_limited", /./, { retryAfterSeconds: 1 }), "never 0");
    await roles.update("slow", { rateLimit: "3/10s" });
    call();
    assert.throws(call, refused("rate_limited"));
    await roles.update("slow", { rateLimit: "1/1s" });
    assert.throws(call, refused("rate_limited"));
    it.clock.advance(1000);
    call();
  });
});

Deno.test("Authenticator.takePlace() uses the monotonic clock: setting the time back or forth frees no place", async () => {
  await withVault({}, async (it) => {
    const { authenticator, roles } = it.vault;
    await roles.create({ name: "slow", scope: ["get_bundle"], topK: 1, rateLimit: "1/60s" });
    const token = await it.issue("alice", "slow");
    authenticator.takePlace(it.identify(token));
    for (const step of [-DAY_MS, 3 * DAY_MS]) {
      it.clock.wall += step;
      assert.throws(() => authenticator.takePlace(it.identify(token)), refused("rate_limited"));
    }
  });
});

Deno.test("Authenticator.assertScope() wants one of the scopes that a method asks for", async () => {
  await withVault({}, async (it) => {
    const { authenticator, roles } = it.vault;
    await roles.create({ name: "own", scope: ["get_bundle", "decrypt_own_metadata"], topK: 1, rateLimit: "9/1s" });
    const caller = it.identify(await it.issue("alice", "own"));
    authenticator.assertScope(caller, ["get_bundle"]);
    authenticator.assertScope(caller, ["decrypt_metadata", "decrypt_own_metadata"]);
    const lacking: Scope[][] = [[], ["get_dek"], ["get_public_key"], ["decrypt_metadata"], [
      "decrypt_scores",
      "get_dek",
    ]];
    for (const scopes of lacking) {
      assert.throws(() => authenticator.assertScope(caller, scopes), refused("scope_denied"), scopes.join());
    }
  });
});

Deno.test("manage_tokens opens nothing by itself", async () => {
  await withVault({}, async (it) => {
    await it.vault.roles.create({ name: "keeper", scope: ["manage_tokens"], topK: 1, rateLimit: "9/1s" });
    const caller = it.identify(await it.issue("alice", "keeper"));
    const network: Scope[] = [
      "get_public_key",
      "get_bundle",
      "get_dek",
      "get_index_key",
      "decrypt_scores",
      "decrypt_metadata",
      "decrypt_own_metadata",
    ];
    assert.throws(() => it.vault.authenticator.assertScope(caller, network), refused("scope_denied"));
  });
});
