/**
 * What the vault does by itself has entries too: nobody asked, and the trail says so.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { parseLine, type StoredEntry } from "../../vault/audit/entry.ts";
import { AdminHttp, eventually } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";

async function ownActs(dataDir: string, operation: string): Promise<StoredEntry[]> {
  const text = await Deno.readTextFile(`${dataDir}/audit.log`);
  const entries = text.split("\n").slice(0, -1).map(parseLine);
  return entries.filter((entry) => entry.face === "vault" && entry.operation === operation);
}

Deno.test("expiry of both kinds of tokens, rotation of keys and edits of files leave entries of the vault's own", async () => {
  await using api = await ServedApi.start();
  const { dataDir } = api.server;
  using admin = AdminHttp.of(api.server);
  const must = async (method: string, path: string, body?: unknown) => {
    const { status, body: answer } = await api.operator(method, path, body);
    equal(status < 300, true, `${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  /** Waits for an entry and gives what it did, with the kinds of records. */
  const effectsOf = async (operation: string, timeoutMs: number, key: string): Promise<string[]> => {
    const found = async () =>
      (await ownActs(dataDir, operation)).filter((entry) => JSON.stringify(entry).includes(key));
    await eventually(`an entry ${operation}`, async () => (await found()).length > 0, timeoutMs);
    const [entry, ...others] = await found();
    deepEqual([others.length, entry!.decision, entry!.user], [0, "allowed", undefined]);
    ok(entry!.change! > 0);
    return entry!.effects!.map(({ kind, act }) => `${kind} ${act}`);
  };

  await must("POST", "identity/oidc/key/minutely", { rotation_period: "60s", verification_ttl: "60s" });
  await must("POST", "sys/auth/userpass", { type: "userpass" });
  await must("POST", "auth/userpass/users/bob", { password: "pw", token_ttl: "1s", token_max_ttl: "1s" });
  const login = (await api.call("POST", "auth/userpass/login/bob", undefined, { password: "pw" })).body.auth;
  deepEqual(await effectsOf("end_service_tokens", 30_000, login.accessor), ["service_token ended"]);

  await admin.issue("alice");
  const { agent_id } = await admin.expect<{ agent_id: string }>("POST", "/tokens/alice/rotate", { grace_seconds: 1 });
  const expired = async () => (await ownActs(dataDir, "expire_user_tokens")).flatMap(({ effects }) => effects ?? []);
  await eventually("the end of the grace", async () => (await expired()).length > 0, 60_000);
  deepEqual((await expired()).map(({ kind, act }) => `${kind} ${act}`), ["user_token ended"]);
  equal((await expired())[0]!.id === agent_id, false, "the former token");

  const path = `${dataDir}/vault-roles.yml`;
  const roles = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, roles.replace(/(\n {2}member:\n(?: {4}.*\n)*? {4}top_k: )\d+/, "$17"));
  api.server.signal("SIGHUP");
  deepEqual(await effectsOf("apply_file_edits", 30_000, '"member"'), ["role changed"]);

  const rotated = await effectsOf("rotate_oidc_keys", 120_000, "minutely");
  ok(rotated.every((effect) => effect.startsWith("oidc_")), rotated.join());
});
