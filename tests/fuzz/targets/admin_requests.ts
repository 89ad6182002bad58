/**
 * Requests to the admin API as a client may send them: every route, with names, queries, headers and bodies that are
 * right, nearly right, or neither.
 *
 * @module
 */

import fc from "fast-check";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { PLANTED } from "../refusals.ts";

/** One request; a body is text, or bytes of which each is a character. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | null;
  readonly isBinary: boolean;
}

/** Requests to one vault, one after the other. */
export interface Sequence {
  readonly door: "tcp" | "unix";
  readonly vault: "fake" | "real";
  readonly requests: readonly Sent[];
}

/** The port that requests name. */
export const PORT = 8081;

const ROUTES: readonly (readonly [method: string, path: string, fields: readonly string[]])[] = [
  ["GET", "/tokens", []],
  ["POST", "/tokens", ["user", "role", "expires_days"]],
  ["GET", "/tokens/:name", []],
  ["DELETE", "/tokens/:name", []],
  ["POST", "/tokens/:name/rotate", ["expires_days", "grace_seconds"]],
  ["GET", "/roles", []],
  ["POST", "/roles", ["name", "scope", "top_k", "rate_limit", "cutoff_envelopes"]],
  ["GET", "/roles/:name", []],
  ["PUT", "/roles/:name", ["scope", "top_k", "rate_limit"]],
  ["DELETE", "/roles/:name", []],
  ["GET", "/users", []],
  ["GET", "/users/:name", []],
  ["POST", "/users/:name/disable", []],
  ["POST", "/users/:name/enable", []],
  ["GET", "/users/:name/cutoff", []],
  ["POST", "/users/:name/cutoff", ["reason"]],
  ["POST", "/users/:name/restore", []],
  ["GET", "/operators", []],
  ["POST", "/operators", ["name", "scope"]],
  ["POST", "/operators/:name/rotate", []],
  ["DELETE", "/operators/:name", []],
  ["GET", "/secrets", []],
  ["POST", "/secrets/rotate", []],
  ["POST", "/secrets/:name/retire", []],
  ["POST", "/rewrap", ["envelopes"]],
  ["GET", "/keys", []],
  ["POST", "/keys/generate", ["dimension", "key_id"]],
  ["POST", "/keys/rotate", []],
  ["POST", "/keys/import", ["sec_key", "enc_key", "eval_key"]],
  ["GET", "/keys/:name", []],
  ["POST", "/keys/:name/export", []],
  ["GET", "/files", []],
  ["GET", "/files/:name/diff", []],
  ["POST", "/files/:name/take", []],
  ["POST", "/files/:name/discard", []],
  ["GET", "/status", []],
  ["GET", "/proof", []],
];

const name = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "alice",
      "bob",
      "ALICE",
      "member",
      "admin",
      "r",
      "1",
      "2",
      "-",
      "roles",
      "tokens",
      "vault-key",
    ),
  },
  { weight: 1, arbitrary: anyText(20).map((text) => encodeURIComponent(text.toWellFormed())) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "..",
      ".",
      "%2e%2e",
      "%2f",
      "%00",
      "%ff",
      "%",
      "a%0ab",
      "a".repeat(2000),
      "%F0%9F%92%A5",
    ),
  },
);

const GOOD: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  user: fc.constantFrom("alice", "bob", "Alice", "a.b@c"),
  name: fc.constantFrom("r", "s", "member"),
  role: fc.constantFrom("member", "admin", "r"),
  expires_days: fc.oneof(fc.integer({ min: -1, max: 4000 }), fc.constant(null)),
  grace_seconds: fc.oneof(fc.integer({ min: -1, max: 90_000 }), fc.constant(null)),
  scope: fc.subarray(["get_public_key", "get_dek", "decrypt_metadata", "nonsense"]),
  top_k: fc.integer({ min: -1, max: 20_000 }),
  rate_limit: fc.constantFrom("30/60s", "1/1s", "0/0s", "999999999999/1s", "30/60"),
  envelopes: fc.array(fc.constantFrom('{"v":1}', "{}", "bad"), { maxLength: 4 }),
  dimension: fc.constantFrom(384, 1024, 0, -1, 2 ** 53),
  key_id: fc.constantFrom("vault-key", "k", "../k"),
};
const SECRET_FIELDS: ReadonlySet<string> = new Set(["sec_key", "enc_key", "eval_key"]);

const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  anyText(40),
  fc.constantFrom(1e21, -0, 1.5, 2 ** 53, "a".repeat(5000), [["x"]], { length: 1 }),
);

function bodyFor(fields: readonly string[]): fc.Arbitrary<string> {
  const model = Object.fromEntries(fields.map((field) => {
    const odd = SECRET_FIELDS.has(field) ? fc.constant(PLANTED.teamSecret) : anyValue;
    return [field, fc.oneof({ weight: 5, arbitrary: GOOD[field] ?? odd }, { weight: 1, arbitrary: odd })];
  }));
  const object = fc.record(model, { requiredKeys: fields.slice(0, 0) });
  const full = fc.record(model);
  const extra = fc.tuple(full, fc.constantFrom("token", "extra", "__proto__", "constructor"), anyValue)
    .map(([fields, key, value]) =>
      `${JSON.stringify(fields).slice(0, -1)}${fields.length === 0 ? "" : ","}"${key}":${JSON.stringify(value)}}`
    );
  return fc.oneof(
    { weight: 8, arbitrary: full.map((one) => JSON.stringify(one)) },
    { weight: 4, arbitrary: object.map((one) => JSON.stringify(one)) },
    {
      weight: 3,
      arbitrary: mutatedText(full.map((one) => JSON.stringify(one)), [...AWKWARD_TEXT, "{", "}", "[", '":', ","]),
    },
    { weight: 1, arbitrary: extra },
    { weight: 1, arbitrary: anyText(30) },
  );
}

const query = fc.oneof(
  { weight: 6, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "?name=alice",
      "?name=..",
      "?limit=1",
      "?limit=0",
      "?limit=1e3",
      "?after=alice",
      "?after=nobody",
      "?limit=2&limit=x",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(`?nonce=${"n".repeat(16)}&id=${"0".repeat(16)}`, "?nonce=a&id=b", "?nonce=&id="),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom("name", "after", "limit", "id"), anyText(20)).map(([key, value]) =>
      `?${key}=${encodeURIComponent(value.toWellFormed())}`
    ),
  },
  { weight: 1, arbitrary: anyText(20).map((text) => `?${text.toWellFormed()}`) },
);

const authorization = fc.oneof(
  { weight: 12, arbitrary: fc.constant(`Bearer ${PLANTED.adminToken}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "Bearer",
      `Basic ${PLANTED.adminToken}`,
      `Bearer ${PLANTED.userToken}`,
      `bearer  ${PLANTED.adminToken.slice(1)}`,
    ),
  },
);
const host = fc.oneof(
  { weight: 12, arbitrary: fc.constant(`127.0.0.1:${PORT}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "localhost",
      `localhost:${PORT}`,
      "evil.example",
      `127.0.0.1.evil.example:${PORT}`,
      `[::1]:${PORT}`,
      "a@127.0.0.1",
      `127.0.0.1:${PORT}0`,
    ),
  },
);
const contentType = fc.oneof(
  { weight: 12, arbitrary: fc.constant("application/json") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "text/plain",
      "application/json; charset=utf-8",
      "application/json;charset=x",
      "multipart/form-data",
    ),
  },
);
const oddHeader = fc.constantFrom<[string, string]>(
  ["origin", "http://evil.example"],
  ["origin", "null"],
  ["origin", `http://127.0.0.1:${PORT}`],
  ["sec-fetch-site", "cross-site"],
  ["sec-fetch-site", "same-origin"],
  ["content-length", "99999999999"],
  ["content-length", "-1"],
  ["transfer-encoding", "chunked"],
  ["x-forwarded-host", "evil.example"],
  ["cookie", `session=${PLANTED.apiKey}`],
  ["x-http-method-override", "DELETE"],
);

const request: fc.Arbitrary<Sent> = fc.constantFrom(...ROUTES).chain(([method, path, fields]) =>
  fc.record({
    method: fc.oneof({ weight: 12, arbitrary: fc.constant(method) }, {
      weight: 1,
      arbitrary: fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "LIST", "QUERY"),
    }),
    path: fc.tuple(
      name,
      fc.oneof({ weight: 9, arbitrary: fc.constant("") }, { weight: 1, arbitrary: name.map((n) => `/${n}`) }),
      query,
    )
      .map(([one, more, asked]) => path.replace(":name", () => one) + more + asked),
    headers: fc.tuple(authorization, host, contentType, fc.option(oddHeader, { freq: 8 }))
      .map(([auth, host, type, odd]) =>
        [["authorization", auth], ["host", host], ["content-type", type], ...(odd === null ? [] : [odd])] as const
      ),
    body: fc.oneof({ weight: 5, arbitrary: bodyFor(fields) }, { weight: 1, arbitrary: fc.constant(null) }),
    isBinary: fc.integer({ min: 0, max: 20 }).map((n) => n === 0),
  })
);

const bulk: fc.Arbitrary<Sent> = fc.tuple(
  fc.constantFrom("/tokens", "/roles", "/rewrap"),
  bulkText(100_000, ["[", '{"user":', '"', "{}", '{"envelopes":[', '"",']),
).map(([path, body]) => ({
  method: "POST",
  path,
  headers: [["authorization", `Bearer ${PLANTED.adminToken}`], ["host", `127.0.0.1:${PORT}`], [
    "content-type",
    "application/json",
  ]],
  body,
  isBinary: false,
}));

/** Sequences of requests; now and then one large body. */
export const sequences: fc.Arbitrary<Sequence> = fc.record<Sequence>({
  door: fc.constantFrom("tcp", "unix"),
  vault: fc.constantFrom("fake", "real"),
  requests: fc.oneof(
    { weight: 200, arbitrary: fc.array(request, { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: fc.tuple(bulk) },
  ),
});
