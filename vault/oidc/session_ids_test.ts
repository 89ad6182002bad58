/**
 * The `sid` of identity tokens.
 */

import { deepEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { sessionIdOf } from "./session_ids.ts";

Deno.test("S14: a sid is what it was when the tokens that are out there were minted", () => {
  const accessors = ["", "nV3i6pCb2Z73OFiOr1d7UIgW", "a".repeat(32), "preview"];
  const before = (accessor: string) =>
    createHash("sha256").update(`runevault/sid\n${accessor}`).digest("base64url").slice(0, 32);
  deepEqual(accessors.map(sessionIdOf), accessors.map(before));
});
