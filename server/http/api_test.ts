import { NO_AUDIT } from "../../tests/fakes/no_audit.ts";
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { VaultError } from "../../vault/errors.ts";
import type { ApiCaller } from "../../vault/service_tokens/caller.ts";
import type { MountRecord } from "../../vault/storage/identity_records.ts";
import { MemoryLogger } from "../../tests/fakes/ports.ts";
import { createIdentityApi } from "./api.ts";
import type { Access, ApiParts, FinishedRequest, Wrapping } from "./api_parts.ts";
import { int, text } from "./fields.ts";
import { route } from "./route.ts";
import { Router } from "./router.ts";

const MOUNT = { section: "secret", path: "kv/", type: "kv" } as MountRecord;
const CALLER = { policies: ["p"], entity: null, isLastUse: false } as unknown as ApiCaller;
const SECRET = "hunter2";

const routes = [
  route({
    path: "item/:name.item",
    summary: "One item.",
    fields: { value: text("what it holds"), count: int("how often") },
    exists: ({ item }) => item === "old",
    read: ({ params, values }) => params["item"] === "none" ? null : { data: { params, values } },
    write: ({ operation, values, warn }) => {
      if (values.value === "warn") warn("careful");
      return values.value === "show" ? { data: { operation } } : null;
    },
    patch: () => null,
    delete: ({ values }) => values.value === "x" ? { data: { deleted: true } } : null,
  }),
  route({ path: "item", summary: "Items.", list: () => ({ data: { keys: ["a"] }, isDuplicated: true }) }),
  route({ path: "open/:name", summary: "Anyone's.", isOpen: true, read: () => ({ raw: { open: true } }) }),
  route({ path: "broken", summary: "Fails.", read: () => Promise.reject(new Error(SECRET)) }),
  route({
    path: "refused",
    summary: "Refuses.",
    read: () => {
      throw new VaultError("invalid_argument", "unknown role: x", { hint: "write it first" });
    },
  }),
];

function apiWith(more: Partial<ApiParts> = {}) {
  const logger = new MemoryLogger();
  const asked: Access[] = [];
  const finished: FinishedRequest[] = [];
  const wrapped: Wrapping[] = [];
  const handle = createIdentityApi({
    ...NO_AUDIT,
    router: new Router({ byPath: (section, path) => section === "secret" && path === "kv/" ? MOUNT : undefined })
      .add({ type: "kv", section: "secret", description: "", routes }),
    logger,
    authenticate: (token) => {
      if (token === "good") return CALLER;
      throw new VaultError("token_invalid", "permission denied");
    },
    takePlace: () => {},
    afterUse: () => Promise.resolve(),
    decide: (_caller, access) => {
      asked.push(access);
      return { allowed: !access.path.includes("forbidden"), hasSudo: false };
    },
    explainDenial: (_caller, access, id) => logger.log("info", "denied", { path: access.path, request_id: id }),
    wrap: (wrapping) => {
      wrapped.push(wrapping);
      const { ttlSeconds: ttl, path: creation_path } = wrapping;
      return Promise.resolve({ token: "w", accessor: "a", ttl, creation_time: "now", creation_path });
    },
    takeBack: () => Promise.resolve(),
    observe: (one) => finished.push(one),
    monotonic: () => 0,
    ...more,
  });
  const send = async (method: string, path: string, init: { body?: string; headers?: Record<string, string> } = {}) => {
    const headers = { "x-vault-token": "good", ...init.headers };
    const body = init.body === undefined ? {} : { body: init.body };
    const response = await handle(new Request(`http://vault${path}`, { method, headers, ...body }), {
      address: "192.0.2.1",
      isTls: false,
    });
    const answered = await response.text();
    return { status: response.status, headers: response.headers, body: answered === "" ? null : JSON.parse(answered) };
  };
  return { send, asked, logger, finished, wrapped };
}

const errors = async (answer: Promise<{ status: number; body: { errors: string[] } | null }>) => {
  const { status, body } = await answer;
  return [status, body?.errors];
};
const DENIED = "1 error occurred:\n\t* permission denied\n\n";

Deno.test("an answer stands in the envelope, with exactly the headers that clients compare", async () => {
  const { send, finished } = apiWith();
  const { status, headers, body } = await send("GET", "/v1/kv/item/a?count=3&other=1");
  equal(status, 200);
  deepEqual(body.data, { params: { item: "a" }, values: { count: 3 } });
  deepEqual(body.warnings, ["Endpoint ignored these unrecognized parameters: [other]"]);
  equal(body.request_id, headers.get("x-request-id"));
  equal(headers.get("content-type"), "application/json");
  equal(headers.get("cache-control"), "no-store");
  equal(headers.get("strict-transport-security"), null);
  deepEqual([finished[0]?.route, finished[0]?.status], ["kv/item/:name.item", 200]);
});

Deno.test("nothing is 404 for a read and 204 for a write, with the JSON type all the same", async () => {
  const { send } = apiWith();
  deepEqual(await errors(send("GET", "/v1/kv/item/none")), [404, []]);
  const written = await send("POST", "/v1/kv/item/a", { body: '{"value":"x","other":1}' });
  deepEqual([written.status, written.body, written.headers.get("content-type")], [204, null, "application/json"]);
  const warned = await send("PUT", "/v1/kv/item/a", { body: '{"value":"warn"}' });
  deepEqual([warned.status, warned.body.warnings], [200, ["careful"]]);
});

Deno.test("LIST is a verb, and so is ?list=True; the policies see the path with a slash", async () => {
  const { send, asked } = apiWith();
  for (const [method, query] of [["LIST", ""], ["GET", "?list=True"], ["GET", "?list=1"], ["LIST", "?after=b"]]) {
    const { body } = await send(method!, `/v1/kv/item${query}`);
    deepEqual(body.data.keys, ["a"]);
    deepEqual(body.keys, ["a"]);
  }
  deepEqual(asked.map(({ path, operation }) => `${operation} ${path}`), Array(4).fill("list kv/item/"));
  deepEqual(await errors(send("GET", "/v1/kv/item?list=maybe")), [400, []]);
  equal((await send("GET", "/v1/kv/item")).status, 405);
});

Deno.test("a write needs create where the object isn't there, else update", async () => {
  const { send, asked } = apiWith();
  await send("POST", "/v1/kv/item/old", { body: "{}" });
  await send("PUT", "/v1/kv/item/new");
  await send("DELETE", "/v1/kv/item/new?value=x");
  deepEqual(asked.map((access) => access.operation), ["update", "create", "delete"]);
  deepEqual([...asked[2]!.parameters], [["value", "x"]]);
});

Deno.test("without a good token every path is 403, whether it is there or not; never 401", async () => {
  const { send } = apiWith();
  for (const path of ["/v1/kv/item/a", "/v1/kv/nowhere/at/all", "/v1/nothing"]) {
    deepEqual(await errors(send("GET", path, { headers: { "x-vault-token": "" } })), [403, ["permission denied"]]);
    const [status, [text]] = await errors(send("GET", path, { headers: { "x-vault-token": "bad" } })) as [
      number,
      string[],
    ];
    equal(status, 403);
    match(text!, /permission denied[^]*invalid token/);
  }
});

Deno.test("with a token: denied, unknown mount, unknown path, wrong verb", async () => {
  const { send, logger } = apiWith();
  deepEqual(await errors(send("GET", "/v1/kv/forbidden")), [403, [DENIED]]);
  equal(logger.names().includes("denied"), true);
  deepEqual(await errors(send("GET", "/v1/nothing/at")), [404, [
    'no handler for route "nothing/". route entry not found.',
  ]]);
  deepEqual(await errors(send("GET", "/v1/kv/item/a/b")), [404, ["1 error occurred:\n\t* unsupported path\n\n"]]);
  deepEqual(await errors(send("DELETE", "/v1/kv/broken")), [405, [
    "1 error occurred:\n\t* unsupported operation\n\n",
  ]]);
  deepEqual(await errors(send("PURGE", "/v1/kv/item/a")), [405, []]);
  deepEqual(await errors(send("SCAN", "/v1/kv/item")), [405, []]);
});

Deno.test("open paths look at no token and say plainly what is wrong", async () => {
  const { send } = apiWith();
  const headers = { "x-vault-token": "bad" };
  deepEqual((await send("GET", "/v1/kv/open/a", { headers })).body, { open: true });
  deepEqual(await errors(send("POST", "/v1/kv/open/a", { headers })), [405, ["unsupported operation"]]);
  deepEqual(await errors(send("GET", "/v1/kv/open/a%20b", { headers })), [404, ["unsupported path"]]);
  const head = await send("HEAD", "/v1/kv/open/a", { headers });
  deepEqual([head.status, head.body], [200, null]);
});

Deno.test("bad requests are refused before anybody looks at the token", async () => {
  const { send } = apiWith();
  const headers = { "x-vault-token": "" };
  const refused: [string, string, string | undefined, number][] = [
    ["POST", "/v1/kv/item/", "{}", 400],
    ["POST", "/v1/kv/item/a", '{"value":', 400],
    ["POST", "/v1/kv/item/a", "[1]", 400],
    ["POST", "/v1/kv/item/a", '"text"', 400],
    ["POST", "/v1/kv/item/a", "{} {}", 400],
    ["POST", "/v1/kv/item/a", " ".repeat(1024 * 1024 + 1), 413],
    ["GET", "/v1/kv/item/%ff", undefined, 400],
    ["GET", "/v1/kv/item/a%00", undefined, 400],
    ["GET", "/v1", undefined, 404],
    ["GET", "/", undefined, 404],
    ["GET", "/v2/kv/item/a", undefined, 404],
    ["OPTIONS", "/v1/kv/item/a", undefined, 400],
    ["PATCH", "/v1/kv/item/a", "{}", 415],
  ];
  for (const [method, path, body, status] of refused) {
    const sent = await send(method, path, { headers, ...(body === undefined ? {} : { body }) });
    equal(sent.status, status, `${method} ${path} ${body?.slice(0, 20)}`);
  }
});

Deno.test("a body is JSON whatever type it claims to be, a form only where it looks like none, or empty, or null", async () => {
  const { send } = apiWith();
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const operation = async (body: string, headers: Record<string, string>) =>
    (await send("POST", "/v1/kv/item/old", { body, headers })).body?.data?.operation;
  equal(await operation('{"value":"show"}', form), "update");
  equal(await operation('{"value":"show"}', { "content-type": "text/plain" }), "update");
  equal(await operation("value=show&x=1", form), "update");
  equal((await send("POST", "/v1/kv/item/old", { body: "", headers: form })).status, 204);
  equal((await send("POST", "/v1/kv/item/old", { body: "null" })).status, 204);
});

Deno.test("a refusal of the domain is 400 with its words and hint; a failure shows an id and no word of its own", async () => {
  const { send, logger } = apiWith();
  deepEqual(await errors(send("GET", "/v1/kv/refused")), [400, ["unknown role: x (write it first)"]]);
  const failed = await send("GET", "/v1/kv/broken");
  equal(failed.status, 500);
  match(failed.body.errors[0], new RegExp(failed.headers.get("x-request-id")!));
  equal(JSON.stringify(failed.body).includes(SECRET), false);
  equal(logger.names().includes("api_request_failed"), true);
  equal(logger.text().includes(SECRET), false, "what an engine quotes in its messages may be a secret");
});

Deno.test("a caller past their window is 429, and one past their last use is ended after the answer", async () => {
  const ended: ApiCaller[] = [];
  const last = { ...CALLER, isLastUse: true };
  const { send } = apiWith({
    authenticate: () => last,
    takePlace: () => {
      throw new VaultError("rate_limited", "Rate limit reached");
    },
    afterUse: (caller) => Promise.resolve(void ended.push(caller)),
  });
  equal((await send("GET", "/v1/kv/item/a")).status, 429);
  deepEqual(ended, [last]);
});

Deno.test("a wrapped answer says nothing of what it holds; nothing and refusals aren't wrapped", async () => {
  const { send, wrapped } = apiWith();
  const headers = { "x-vault-wrap-ttl": "1m0s" };
  const { body } = await send("GET", "/v1/kv/item/a", { headers });
  deepEqual([body.data, body.request_id, body.wrap_info.ttl], [null, "", 60]);
  match(wrapped[0]!.body, /"params":\{"item":"a"\}/);
  equal((await send("GET", "/v1/kv/item/none", { headers })).status, 404);
  equal((await send("DELETE", "/v1/kv/item/a", { headers })).status, 204);
  equal((await send("GET", "/v1/kv/item/a", { headers: { "x-vault-wrap-ttl": "soon" } })).status, 400);
  equal(wrapped.length, 1);
});

Deno.test("a body field that the path names loses to the path, and is told so", async () => {
  const { send } = apiWith();
  const { body } = await send("POST", "/v1/kv/item/old", { body: '{"item":"other","value":"show"}' });
  match(body.warnings[0], /values captured from the endpoint's path: \[item\]/);
});

Deno.test("only the root namespace is there, and its name comes back", async () => {
  const { send } = apiWith();
  deepEqual(await errors(send("GET", "/v1/kv/item/a", { headers: { "x-vault-namespace": "team/" } })), [404, [
    "namespace not found",
  ]]);
  equal((await send("GET", "/v1/kv/item/a", { headers: { "x-vault-namespace": "root/" } })).status, 200);
});

Deno.test("?help=1 tells of the path and its fields, to whoever has a token", async () => {
  const { send, asked } = apiWith();
  const { body } = await send("GET", "/v1/kv/item/a?help=1");
  match(body.help, /One item\.[^]*count \(integer\)/);
  equal(asked[0]?.operation, "help");
  notEqual((await send("GET", "/v1/kv/item/a?help=1", { headers: { "x-vault-token": "" } })).status, 200);
});
