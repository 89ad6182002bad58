import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { VaultError } from "../vault/errors.ts";
import { defined, integer, optional, readFields, text, texts } from "./body.ts";

const LIMITS = { maxBytes: 4096, timeoutMs: 1000 };
const SHAPE = { user: text, days: optional(integer), list: optional(texts) };

function requestOf(body: Uint8Array | string | undefined, type = "application/json"): Request {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const headers = { "content-type": type, "content-length": String(bytes?.length ?? 0) };
  return new Request(
    "http://localhost/",
    bytes === undefined ? { method: "POST", headers } : {
      method: "POST",
      headers,
      body: bytes.slice(),
    },
  );
}

Deno.test("readFields() returns exactly the fields of its shape, or refuses: whatever the bytes", async () => {
  const jsonBytes = fc.json({ maxDepth: 4 }).map((json) => new TextEncoder().encode(json));
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), jsonBytes), async (bytes) => {
      try {
        const fields = await readFields(requestOf(bytes), LIMITS, SHAPE);
        deepEqual(Object.keys(fields), ["user", "days", "list"]);
        equal(typeof fields.user, "string");
      } catch (error) {
        ok(error instanceof VaultError, String(error));
        equal(error.kind, "invalid_argument");
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("readFields() takes no body for an empty object, and null for an absent optional field", async () => {
  deepEqual(await readFields(new Request("http://localhost/", { method: "POST" }), LIMITS, {}), {});
  const fields = await readFields(requestOf('{"user":"a","days":null}'), LIMITS, SHAPE);
  deepEqual(fields, { user: "a", days: undefined, list: undefined });
  deepEqual(defined(fields), { user: "a" });
});

Deno.test("readFields() takes JSON in UTF-8 by its type, in any spelling of it, and nothing else", async () => {
  for (
    const type of [
      "application/json",
      "Application/JSON",
      "application/json; charset=utf-8",
      'application/json;charset="UTF-8"',
    ]
  ) {
    equal((await readFields(requestOf('{"user":"a"}', type), LIMITS, SHAPE)).user, "a", type);
  }
  for (
    const type of [
      "",
      "text/json",
      "application/jsonp",
      "application/json; charset=latin1",
      "text/plain;application/json",
    ]
  ) {
    const refused = await readFields(requestOf('{"user":"a"}', type), LIMITS, SHAPE).catch((error) => error);
    equal((refused as VaultError).kind, "invalid_argument", type);
  }
});

Deno.test("readFields() reads up to its limit and not a byte more", async () => {
  const bodyOf = (length: number) => `{"user":"${"x".repeat(length - 11)}"}`;
  equal(bodyOf(4096).length, 4096);
  equal((await readFields(requestOf(bodyOf(4096)), LIMITS, SHAPE)).user.length, 4085);
  const refused = await readFields(requestOf(bodyOf(4097)), LIMITS, SHAPE).catch((error) => error);
  equal((refused as VaultError).kind, "invalid_argument");
});
