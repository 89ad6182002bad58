import { deepEqual, equal, match, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { ERROR_TABLE, VaultError, type VaultErrorKind } from "../../vault/errors.ts";
import { recordingPorts } from "./_test_support.ts";
import { grpcStatus } from "./status.ts";

const call = { requestId: "00ff" };

function translate(thrown: unknown) {
  const { events, ports } = recordingPorts();
  return { ...grpcStatus(thrown, { method: "get_public_key", call, logger: ports.logger }), events };
}

Deno.test("grpcStatus() gives every kind the code of its row", () => {
  for (const [kind, row] of Object.entries(ERROR_TABLE)) {
    const { code } = translate(new VaultError(kind as VaultErrorKind, "Something is wrong"));
    equal(code, (status as unknown as Record<string, number>)[row.grpc], kind);
    ok(code !== undefined && code !== status.OK, kind);
  }
});

Deno.test("grpcStatus() shows the message of an error that a caller can act on, and logs nothing", () => {
  const { details, metadata, events } = translate(new VaultError("scope_denied", 'Role "member" lacks it'));
  equal(details, 'Role "member" lacks it');
  equal(metadata, undefined);
  deepEqual(events, []);
});

Deno.test("grpcStatus() gives one text for every wrong token", () => {
  const unknown = translate(new VaultError("token_invalid", "Unknown token"));
  const malformed = translate(new VaultError("token_invalid", "Token is not evt_ and 32 digits"));
  equal(unknown.details, malformed.details);
});

Deno.test("grpcStatus() tells a rate-limited caller how long to wait, in whole seconds", () => {
  const cases = [[2.1, "3"], [0.01, "1"], [60, "60"]] as const;
  for (const [retryAfterSeconds, expected] of cases) {
    const { details, metadata } = translate(
      new VaultError("rate_limited", "Too fast", { data: { retryAfterSeconds } }),
    );
    equal(details, `Too fast (retry after ${expected} s)`);
    deepEqual(metadata?.get("retry-after"), [expected]);
  }
});

Deno.test("grpcStatus() hides what is not a VaultError behind a request id", () => {
  const secret = "evt_00112233445566778899aabbccddeeff";
  const { code, details, events } = translate(new SyntaxError(`Unexpected token in "${secret}"`));
  equal(code, status.INTERNAL);
  equal(details, "The vault could not answer this request (request 00ff)");
  equal(events.length, 1);
  equal(events[0]?.fields["request_id"], "00ff");
  equal(events[0]?.fields["error"], "SyntaxError");
  match(String(events[0]?.fields["frames"]), /status_test/);
  ok(!JSON.stringify(events).includes(secret));
});

Deno.test("grpcStatus() logs the code of the cause of an error that was ours", () => {
  const cause = Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR" });
  const { details, events } = translate(new VaultError("storage_failed", "The change could not be saved", { cause }));
  equal(details, "The change could not be saved (request 00ff)");
  equal(events[0]?.fields["kind"], "storage_failed");
  equal(events[0]?.fields["code"], "ERR_SQLITE_ERROR");
});

Deno.test("grpcStatus() survives thrown things that are no errors", () => {
  for (const thrown of [undefined, null, "evt_secret", 7, {}]) {
    const { code, details, events } = translate(thrown);
    equal(code, status.INTERNAL);
    ok(!`${details} ${JSON.stringify(events)}`.includes("secret"));
  }
});

Deno.test("grpcStatus() gives a text that can be percent-encoded and fits a header block", () => {
  const halfPair = translate(new VaultError("invalid_argument", 'Name "\ud800" is not allowed'));
  equal(encodeURI(halfPair.details ?? ""), encodeURI('Name "\ufffd" is not allowed'));
  const long = translate(new VaultError("invalid_argument", `Name "${"語".repeat(1_000_000)}" is too long`));
  ok(encodeURI(long.details ?? "").length < 8192);
  // The cut may fall into a pair.
  ok(encodeURI(translate(new VaultError("invalid_argument", "😀".repeat(1000))).details ?? ""));
});
