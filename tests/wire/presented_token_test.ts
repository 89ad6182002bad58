/**
 * Where a token may stand: in the message, in `authorization` metadata, or in both when they are equal.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { Metadata } from "../../proto/gen/runevault/v1/metadata_pb.ts";
import { sharedServer } from "./_shared_server.ts";

let alice = "";
let bob = "";
const shared = sharedServer({}, async ({ admin }) => {
  alice = await admin.issue("alice", "admin");
  bob = await admin.issue("bob", "admin");
});

Deno.test("rune.vault.v1 takes the token from the message, from metadata, or from both when they are equal", async () => {
  const { vault } = shared();
  const cases: [what: string, message: string, authorization: string | undefined, code: status][] = [
    ["in the message", alice, undefined, status.OK],
    ["in metadata", "", `Bearer ${alice}`, status.OK],
    ["in metadata, scheme in lower case", "", `bearer ${alice}`, status.OK],
    ["in both, equal", alice, `Bearer ${alice}`, status.OK],
    ["in both, of two users", alice, `Bearer ${bob}`, status.UNAUTHENTICATED],
    ["in both, of two users the other way round", bob, `Bearer ${alice}`, status.UNAUTHENTICATED],
    ["a good one in the message, a bad one in metadata", alice, "Bearer evt_x", status.UNAUTHENTICATED],
    ["a bad one in the message, a good one in metadata", "evt_x", `Bearer ${alice}`, status.UNAUTHENTICATED],
    ["a scheme without a token", alice, "Bearer", status.UNAUTHENTICATED],
    ["another scheme alone", "", `Basic ${alice}`, status.UNAUTHENTICATED],
    ["a bare token in metadata", "", alice, status.UNAUTHENTICATED],
    ["another scheme, which a proxy may have added", alice, "Basic eDp5", status.OK],
  ];
  for (const [what, message, authorization, code] of cases) {
    const headers = authorization === undefined ? {} : { authorization };
    equal((await vault.manifest(message, { headers })).code, code, what);
  }
});

Deno.test("both tokens count on every method of rune.vault.v1", async () => {
  const { vault } = shared();
  const headers = { authorization: `Bearer ${bob}` };
  for (
    const call of [
      vault.publicKey(alice, { headers }),
      vault.manifest(alice, { headers }),
      vault.scores(alice, "", 1, { headers }),
      vault.open(alice, [], { headers }),
    ]
  ) equal((await call).code, status.UNAUTHENTICATED);
});

Deno.test("runevault.v1 takes the token from metadata alone", async () => {
  const { vault } = shared();
  equal((await vault.seal(alice, ["x"])).code, status.OK);
  equal((await vault.call(Metadata.method.sealMetadata, { plaintexts: ["x"] })).code, status.UNAUTHENTICATED);
  const headers = { authorization: `Basic ${alice}` };
  equal((await vault.call(Metadata.method.sealMetadata, {}, { headers })).code, status.UNAUTHENTICATED);
});
