/**
 * Requests to the identity API as a client may send them: every path that it says it has, with names, queries, headers
 * and bodies that are right, nearly right, or neither.
 *
 * @module
 */

import fc from "fast-check";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { PLANTED } from "../refusals.ts";
import { type ApiPath, type Caller, CALLERS } from "./api_vault.ts";

/** One request. */
export interface ApiRequest {
  readonly caller: Caller;
  readonly method: string;
  /** Behind `/v1/`, with its query. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | null;
}

const PIECES = [...AWKWARD_TEXT, "{{token}}", "{{accessor}}", "{{entity}}", '"ttl":', "{", "}", "[", '":', ","];

const KNOWN_NAMES = ["alice", "bob", "app", "default", "root", "userpass", "database", "sha2-256", "32"];
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...KNOWN_NAMES, "{{accessor}}", "{{entity}}") },
  { weight: 1, arbitrary: anyText(20).map((text) => encodeURIComponent(text.toWellFormed())) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("..", ".", "%2e%2e", "%2f", "%00", "%ff", "%", "a//b", "a%0ab", "a".repeat(2000)),
  },
);

/** What is right for fields that more than one path has; of the others anything is tried. */
const GOOD: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  name: fc.constantFrom(...KNOWN_NAMES),
  policies: fc.constantFrom<unknown>("default", ["default", "app"], "root", []),
  policy: fc.constantFrom('path "secret/*" { capabilities = ["read"] }', 'path "a" { policy = "sudo" }', "{"),
  ttl: fc.constantFrom<unknown>("1h", 60, "0", "-1s", "9999999h"),
  type: fc.constantFrom("userpass", "database", "service", "batch", "internal", "external"),
  metadata: fc.constantFrom<unknown>({ team: "a" }, { "": "" }, []),
  path: fc.constantFrom("cubbyhole/a", "sys/health", "auth/userpass/", "*", ""),
  // Those that are made with RSA take their time, in threads of their own.
  algorithm: fc.constantFrom("ES256", "EdDSA", "none", "HS256", "sha2-512"),
  entity_id: fc.constant("{{entity}}"),
  token: fc.constantFrom("{{token}}", PLANTED.adminToken),
  accessor: fc.constant("{{accessor}}"),
  mount_accessor: fc.constantFrom("auth_userpass", "{{accessor}}"),
  lease_id: fc.constantFrom("database/creds/app/1", "auth/userpass/login/alice/x"),
  template: fc.constantFrom('{"a": {{identity.entity.name}}}', "{{", "{}"),
  redirect_uris: fc.constantFrom<unknown>(["https://app.test/cb"], "javascript:x"),
  redirect_uri: fc.constantFrom("https://app.test/cb", "https://evil.test/"),
  verify_connection: fc.constant(false),
};
const SECRETS: ReadonlySet<string> = new Set(["password", "password_hash", "old_password", "client_secret"]);

/** A role of identity tokens names its `key`. */
function isSecret(path: string, field: string): boolean {
  return SECRETS.has(field) || path === "sys/unseal" && field === "key";
}

const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  anyText(40),
  fc.constantFrom<unknown>(1e21, -0, 1.5, 2 ** 53, "a".repeat(5000), [["x"]], "{{token}}", true),
);

function bodyFor({ path, fields }: ApiPath): fc.Arbitrary<string> {
  const model = Object.fromEntries([...fields, "other"].map((field) => {
    if (isSecret(path, field)) return [field, fc.constantFrom<unknown>(PLANTED.teamSecret, PLANTED.apiKey)];
    return [field, fc.oneof({ weight: 5, arbitrary: GOOD[field] ?? anyValue }, { weight: 1, arbitrary: anyValue })];
  }));
  const requiredKeys = path.startsWith("identity/oidc/key/") ? ["algorithm"].filter((one) => one in model) : [];
  const object = fc.record(model, { requiredKeys }).map((one) => JSON.stringify(one));
  return fc.oneof(
    { weight: 12, arbitrary: object },
    { weight: 3, arbitrary: mutatedText(object, PIECES) },
    { weight: 1, arbitrary: anyText(30) },
    { weight: 1, arbitrary: object.map((json) => new URLSearchParams(JSON.parse(json)).toString()) },
  );
}

const query = fc.oneof(
  { weight: 8, arbitrary: fc.constant("") },
  {
    weight: 2,
    arbitrary: fc.constantFrom("?list=true", "?list=x", "?help=1", "?scan=true", "?limit=1&after=a", "?list=1&list=0"),
  },
  { weight: 1, arbitrary: anyText(20).map((text) => `?${text.toWellFormed()}`) },
);

const header = fc.constantFrom<[string, string]>(
  ["x-vault-wrap-ttl", "60s"],
  ["x-vault-wrap-ttl", "x"],
  ["x-vault-namespace", "team"],
  ["x-vault-request", "true"],
  ["authorization", `Bearer ${PLANTED.adminToken}`],
  ["authorization", "Basic YTpi"],
  ["content-type", "application/x-www-form-urlencoded"],
  ["content-type", "application/merge-patch+json"],
  ["content-type", "application/json; charset=x"],
  ["x-forwarded-for", "203.0.113.1"],
  ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  ["cookie", `session=${PLANTED.apiKey}`],
);
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "LIST", "OPTIONS", "QUERY"];

function requestTo(all: readonly ApiPath[]): fc.Arbitrary<ApiRequest> {
  return fc.constantFrom(...all).chain((one) =>
    fc.record<ApiRequest>({
      caller: fc.constantFrom(...CALLERS),
      method: fc.oneof({ weight: 3, arbitrary: fc.constantFrom("GET", "POST") }, {
        weight: 1,
        arbitrary: fc.constantFrom(...METHODS),
      }),
      path: fc.tuple(fc.array(name, { minLength: 2, maxLength: 2 }), query, fc.constantFrom("", "", "", "", "/", "/x"))
        .map(([names, asked, more]) => filled(one.path, names) + more + asked),
      headers: fc.array(header, { maxLength: 2 }),
      body: fc.oneof({ weight: 6, arbitrary: bodyFor(one) }, { weight: 1, arbitrary: fc.constant(null) }),
    })
  );
}

/** A path with names in the places of its parameters. */
function filled(path: string, names: readonly string[]): string {
  let next = 0;
  return path.replace(/\{[^}]+\}/g, () => names[next++ % names.length]!);
}

/** Requests one after the other; now and then one large body. */
export function apiSequences(all: readonly ApiPath[]): fc.Arbitrary<ApiRequest[]> {
  const bulk = fc.record<ApiRequest>({
    caller: fc.constantFrom(...CALLERS),
    method: fc.constant("POST"),
    path: fc.constantFrom("auth/userpass/login/alice", "sys/policies/acl/app", "identity/entity", "cubbyhole/a"),
    headers: fc.constant([]),
    body: bulkText(100_000, ["[", '{"policy":"', '"', "{}", '{"metadata":{', '"a":"b",', 'path \\"a\\" {']),
  });
  return fc.oneof(
    { weight: 200, arbitrary: fc.array(requestTo(all), { minLength: 1, maxLength: 4 }) },
    { weight: 1, arbitrary: fc.tuple(bulk).map(([one]) => [one]) },
  );
}
