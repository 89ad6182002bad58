/**
 * The admin API: every route with generated paths, queries, headers and bodies, one after the other on one vault.
 *
 * Half of the vaults are fakes. The others have the real services for tokens, roles, users and secrets over a store in
 * memory, so that what the routes let through meets what it is for.
 *
 * @module
 */

import fc from "fast-check";
import type { AdminDoor } from "../../../admin/guard.ts";
import { type AdminHandler, createAdminApp } from "../../../admin/app.ts";
import type { AdminVault, ProcessFacts } from "../../../admin/ports.ts";
import type { StatusReport } from "../../../admin/wire.ts";
import { ERROR_TABLE, type VaultErrorKind } from "../../../vault/errors.ts";
import { SealKey } from "../../../vault/keys/seal_key.ts";
import { putSecret, sealSecret, SecretService } from "../../../vault/keys/secret_service.ts";
import { DEFAULT_ROLES, putRole, RoleService } from "../../../vault/roles/role_service.ts";
import { VaultState } from "../../../vault/state.ts";
import { TokenService } from "../../../vault/tokens/token_service.ts";
import { UserService } from "../../../vault/users/user_service.ts";
import { Writer } from "../../../vault/writer.ts";
import { FAKE_NOW, type FakeAdminVault, fakeAdminVault } from "../../fakes/admin_vault.ts";
import { MemoryStore } from "../../fakes/memory_store.ts";
import { FakeClock, MemoryLogger } from "../../fakes/ports.ts";
import { seededRandom } from "../../fakes/seeded_random.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { assertShowsNoSecret, must, PLANTED } from "../refusals.ts";
import { asyncTarget, type FuzzTarget } from "../target.ts";

/** One request; a body is text, or bytes of which each is a character. */
interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | null;
  readonly isBinary: boolean;
}

interface Input {
  readonly door: "tcp" | "unix";
  readonly vault: "fake" | "real";
  readonly requests: readonly Sent[];
}

const PORT = 8081;

const ROUTES: readonly (readonly [method: string, path: string, fields: readonly string[]])[] = [
  ["GET", "/tokens", []],
  ["POST", "/tokens", ["user", "role", "expires_days"]],
  ["GET", "/tokens/:name", []],
  ["DELETE", "/tokens/:name", []],
  ["POST", "/tokens/:name/rotate", ["expires_days", "grace_seconds"]],
  ["GET", "/roles", []],
  ["POST", "/roles", ["name", "scope", "top_k", "rate_limit"]],
  ["GET", "/roles/:name", []],
  ["PUT", "/roles/:name", ["scope", "top_k", "rate_limit"]],
  ["DELETE", "/roles/:name", []],
  ["GET", "/users", []],
  ["GET", "/users/:name", []],
  ["POST", "/users/:name/disable", []],
  ["POST", "/users/:name/enable", []],
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

/** Requests to the admin API. */
export const target: FuzzTarget = asyncTarget(
  "admin_api",
  "json",
  fc.record<Input>({
    door: fc.constantFrom("tcp", "unix"),
    vault: fc.constantFrom("fake", "real"),
    requests: fc.oneof({ weight: 200, arbitrary: fc.array(request, { minLength: 1, maxLength: 5 }) }, {
      weight: 1,
      arbitrary: fc.tuple(bulk),
    }),
  }),
  check,
);

/** An app on a vault of its own, with what it was told to log and to change. */
interface Served {
  readonly handle: AdminHandler;
  readonly logger: MemoryLogger;
  /** Changes so far. */
  readonly changes: () => number;
}

async function check({ door: kind, vault, requests }: Input): Promise<void> {
  const served = vault === "fake" ? serve(fakeVault()) : serve(await realVault());
  const door: AdminDoor = kind === "unix" ? { kind } : { kind, hostname: "127.0.0.1", port: PORT };
  for (const sent of requests) {
    const request = toRequest(sent);
    if (request === null) continue;
    const before = served.changes();
    const response = await served.handle(request, door);
    await assertAnswer(sent, response);
    if (!mayChange(sent, door)) must(served.changes() === before, `${response.status}, and all the same it was done`);
  }
  assertShowsNoSecret("the log", served.logger.text());
  must(!served.logger.names().includes("admin_request_failed"), served.logger.text().slice(0, 1000));
}

/** Null for what no client can send. */
function toRequest({ method, path, headers, body, isBinary }: Sent): Request | null {
  const bytes = body === null
    ? null
    : isBinary
    ? Uint8Array.from(body, (c) => c.charCodeAt(0) & 0xff)
    : new TextEncoder().encode(body);
  const mayHaveBody = bytes !== null && method !== "GET" && method !== "HEAD";
  try {
    const length: [string, string][] = mayHaveBody ? [["content-length", String(bytes.length)]] : [];
    const init = { method, headers: [...length, ...headers.map(([n, v]) => [n, v] as [string, string])] };
    return new Request(`http://127.0.0.1:${PORT}${path}`, mayHaveBody ? { ...init, body: bytes } : init);
  } catch {
    return null;
  }
}

/** The statuses of the contract; 500 and above would be a failure that nobody foresaw. */
const STATUSES: ReadonlySet<number> = new Set([200, 201, 400, 401, 403, 404, 405, 409]);

async function assertAnswer({ method, path }: Sent, response: Response): Promise<void> {
  const text = await response.text();
  const what = `${method} ${path.slice(0, 80)} answered ${response.status} ${text.slice(0, 200)}`;
  must(STATUSES.has(response.status), what);
  must(response.headers.get("x-content-type-options") === "nosniff", `${what} without its headers`);
  must(
    /^application\/json\b/.test(response.headers.get("content-type") ?? ""),
    `${what} as ${response.headers.get("content-type")}`,
  );
  assertShowsNoSecret(what, text);
  if (method === "HEAD") return must(text === "", what);
  const body = JSON.parse(text) as Record<string, unknown>;
  const mayShowToken = response.ok && method === "POST" && /^\/tokens/.test(path);
  must(mayShowToken || !/evt_[0-9a-f]{32}/.test(text), `${what}: a token`);
  if (response.ok) return;
  must(typeof body["error"] === "string" && text.length < 3000, what);
  must(response.status === 405 || ERROR_TABLE[body["kind"] as VaultErrorKind].http === response.status, what);
}

/** Whether a request has what a change takes; what it asks for is another question. */
function mayChange({ method, headers }: Sent, door: AdminDoor): boolean {
  const value = (name: string) => headers.find(([n]) => n === name)?.[1];
  if (method === "GET" || method === "HEAD") return false;
  if (value("origin")?.includes("evil") || value("origin") === "null" || value("sec-fetch-site") === "cross-site") {
    return false;
  }
  if (value("host")!.includes("evil")) return false;
  return door.kind === "unix" || value("authorization") === `Bearer ${PLANTED.adminToken}`;
}

function serve({ vault, changes }: { vault: AdminVault; changes: () => number }): Served {
  const logger = new MemoryLogger();
  const random = seededRandom("the admin API, fuzzed");
  const parts = { vault, facts: FACTS, adminToken: PLANTED.adminToken, logger, clock: new FakeClock(FAKE_NOW), random };
  return { logger, changes, handle: createAdminApp(parts) };
}

const FACTS: ProcessFacts = { version: () => "0.0.1", status: () => ({ version: "0.0.1" }) as StatusReport };

function fakeVault(): { vault: FakeAdminVault; changes: () => number } {
  const vault = fakeAdminVault();
  return { vault, changes: () => vault.calls.length };
}

async function realVault(): Promise<{ vault: AdminVault; changes: () => number }> {
  const [state, store, clock, random] = [
    new VaultState(),
    new MemoryStore(),
    new FakeClock(FAKE_NOW),
    seededRandom("real"),
  ];
  const writer = new Writer(store, state);
  const sealKey = new SealKey(new Uint8Array(32).fill(7), random);
  const first = putSecret(sealSecret(sealKey, 1, new Uint8Array(32), FAKE_NOW));
  await writer.change(() => ({ writes: [first, ...DEFAULT_ROLES.map(putRole)], result: () => {} }));
  const tokens = new TokenService({ state, writer, clock, random });
  const fake = fakeVault();
  const vault: AdminVault = {
    ...fake.vault,
    tokens,
    roles: new RoleService(state, writer),
    users: new UserService(state, writer, tokens),
    secrets: new SecretService(state, writer, sealKey, clock, random),
  };
  return { vault, changes: () => state.sequence + fake.changes() };
}
