/**
 * What `runevault audit report` adds up of one user: what they did, whose envelopes they opened, which databases, from where.
 */

import { deepEqual, equal } from "node:assert/strict";
import { AdminHttp, cli, VaultClient } from "../clients.ts";
import { ServedApi } from "../identity/_served.ts";

const POLICY = `
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read", "update"] }
path "team/db/creds/*" { capabilities = ["read"] }`;

/** The report's tables by their headings, each row as its cells without the time. */
function tablesOf(text: string): Record<string, string[][]> {
  const blocks = text.trimEnd().split("\n\n").slice(1);
  return Object.fromEntries(blocks.map((block) => {
    const [heading, ...rows] = block.split("\n").map((line) => line.split(/ {2,}/));
    return [heading![0]!, rows.map((cells) => cells.slice(0, 3))];
  }));
}

Deno.test("audit report tells what a user did, whose envelopes they opened, which databases they asked, and from where", async () => {
  await using api = await ServedApi.start();
  using admin = AdminHttp.of(api.server);
  using vault = VaultClient.of(api.server);
  equal((await api.operator("PUT", "sys/policies/acl/p", { policy: POLICY })).status, 204);
  await admin.expect("PUT", "/roles/member", { policies: ["p"] });
  equal((await api.operator("POST", "sys/mounts/team/db", { type: "database" })).status, 204);
  const [alice, bob] = [await admin.issue("alice"), await admin.issue("bob")];
  const [own, others] = [await vault.bundle(alice), await vault.bundle(bob)];
  const sealed = async (token: string, texts: string[]) => (await vault.seal(token, texts)).message!.envelopes;
  await vault.open(alice, [...await sealed(bob, ["x", "y"]), ...await sealed(alice, ["z"])]);
  await vault.open(bob, await sealed(bob, ["not alice's doing"]));
  const { entity_id } = (await api.call("GET", "auth/token/lookup-self", alice)).body.data;
  await api.call("POST", `identity/entity/id/${entity_id}`, alice, { metadata: { session_id: "s-1" } });
  await api.call("GET", "team/db/creds/app", alice);
  await api.call("GET", "team/db/creds/app", alice);

  const { code, stdout } = await cli(api.server, ["audit", "report", "--user", "alice"]);
  equal(code, 0, stdout);
  const { OPERATION, ENVELOPES_OF, DATABASE, FROM, SESSION } = tablesOf(stdout);
  deepEqual(ENVELOPES_OF, [["bob", others.agent_id, "2"], ["alice", own.agent_id, "1"]]);
  deepEqual(DATABASE, [["team/db/creds/app", "0", "2"]]);
  deepEqual(FROM, [["127.0.0.1", "5", "2"]]);
  deepEqual(SESSION, [["s-1", "0", "2"]]);
  deepEqual(OPERATION!.find(([name]) => name === "decrypt_metadata"), ["decrypt_metadata", "1", "0"]);
});
