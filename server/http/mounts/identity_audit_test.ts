import { deepEqual, equal } from "node:assert/strict";
import type { StoredEntry } from "../../../vault/audit/entry.ts";
import type { TrailReader } from "../../../vault/audit/trail_reader.ts";
import { withVault } from "../../../vault/_test_support.ts";
import { TestApi } from "../_test_support.ts";

const ENTRY: StoredEntry = {
  seq: 1,
  time: "2026-03-20T10:00:00.000Z",
  request_id: "00",
  face: "api",
  operation: "read token/lookup-self",
  decision: "allowed",
  prev: "",
  mac: "",
};

/** A trail that does something while it is read. */
function trailDuring(work: () => Promise<unknown>): TrailReader {
  return {
    async *entries() {
      await work();
      yield ENTRY;
    },
  } as Partial<TrailReader> as TrailReader;
}

Deno.test("S6: who is cut off or logged out while their own trail is read gets nothing of it", async () => {
  await withVault({}, async (vault) => {
    let meanwhile = () => Promise.resolve<unknown>(undefined);
    const api = new TestApi(vault, trailDuring(() => meanwhile()));
    await api.withUsers("bob", "carol");
    const ask = (token: string) => api.call("GET", "identity/audit/self", { token });
    const evt = await vault.issue("alice");
    const bob: string = (await api.login("bob")).client_token;
    const carol: string = (await api.login("carol")).client_token;
    for (const token of [evt, bob, carol]) {
      const { status, body } = await ask(token);
      deepEqual([status, body.data?.entries?.length], [200, 1], JSON.stringify(body));
    }
    const { cutOff } = vault.vault.engine;
    const ends: [token: string, end: () => Promise<unknown>][] = [
      [evt, () => vault.vault.tokens.revoke("alice")],
      [bob, () => cutOff.cutOff("bob")],
      [carol, () => api.call("POST", "auth/token/revoke-self", { token: carol })],
    ];
    for (const [token, end] of ends) {
      meanwhile = end;
      const { status, body } = await ask(token);
      equal(status, 403, JSON.stringify(body));
      equal(JSON.stringify(body).includes("lookup-self"), false);
    }
  });
});
