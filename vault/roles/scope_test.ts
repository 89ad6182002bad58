import assert from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { holdsScope, parseScopes, type Scope, SCOPES } from "./scope.ts";

Deno.test("get_public_key stands for the bundle and both keys in it, and for nothing else", () => {
  const means = SCOPES.filter((scope) => holdsScope(["get_public_key"], scope));
  assert.deepEqual(means, ["get_public_key", "get_bundle", "get_dek", "get_index_key"]);
});

Deno.test("no other scope holds more than itself", () => {
  for (const held of SCOPES) {
    if (held === "get_public_key") continue;
    assert.deepEqual(SCOPES.filter((scope) => holdsScope([held], scope)), [held]);
  }
  assert.deepEqual(SCOPES.filter((scope) => holdsScope([], scope)), []);
  const three: Scope[] = ["get_bundle", "get_dek", "get_index_key"];
  assert.equal(holdsScope(three, "get_public_key"), false);
});

Deno.test("parseScopes() folds doubled names and refuses unknown ones, whatever object knows them", () => {
  assert.deepEqual(parseScopes(["get_dek", "get_bundle", "get_dek"]), ["get_dek", "get_bundle"]);
  assert.deepEqual(parseScopes([]), []);
  for (const name of ["", "root", "GET_DEK", " get_dek", "constructor", "__proto__", "get_dek,get_bundle", "*"]) {
    assert.throws(() => parseScopes(["get_bundle", name]), refused("invalid_argument"), name);
  }
  assert.throws(() => parseScopes(["x".repeat(1_000_000)]), (error: unknown) => (error as Error).message.length < 120);
});
