import assert from "node:assert/strict";
import { asVaultError, ERROR_TABLE, VaultError } from "./errors.ts";

Deno.test("asVaultError() passes a VaultError through and makes anything else internal, with a fixed text", () => {
  const known = new VaultError("not_found", "No such user");
  assert.equal(asVaultError(known), known);
  for (
    const thrown of [new TypeError("secret detail"), "secret detail", undefined, { kind: "not_found", message: "x" }]
  ) {
    const error = asVaultError(thrown);
    assert.equal(error.kind, "internal");
    assert.equal(error.message, "The vault could not answer this request");
    assert.equal(error.cause, thrown);
  }
});

Deno.test("a VaultError's JSON, the careless way to a wire, tells no cause", () => {
  const error = new VaultError("storage_failed", "Not saved", { cause: new Error("/secret/path"), data: { index: 1 } });
  assert.doesNotMatch(JSON.stringify(error), /secret/);
  assert.deepEqual([error.data, error.hint], [{ index: 1 }, undefined]);
});

Deno.test("every kind of failure has a gRPC name, an HTTP status that is an error, and an exit code that is no success", () => {
  const grpcNames =
    /^(CANCELLED|INVALID_ARGUMENT|NOT_FOUND|ALREADY_EXISTS|PERMISSION_DENIED|RESOURCE_EXHAUSTED|FAILED_PRECONDITION|INTERNAL|UNAVAILABLE|UNAUTHENTICATED)$/;
  for (const [kind, { grpc, http, exit }] of Object.entries(ERROR_TABLE)) {
    assert.match(grpc, grpcNames, kind);
    assert.ok(http >= 400 && http <= 599, kind);
    assert.ok([1, 2, 78].includes(exit), kind);
  }
  // Never says which: whoever guesses must not learn from the status that a token once existed.
  assert.equal(ERROR_TABLE.token_invalid.grpc, ERROR_TABLE.token_expired.grpc);
  assert.equal(ERROR_TABLE.token_invalid.http, ERROR_TABLE.token_expired.http);
});
