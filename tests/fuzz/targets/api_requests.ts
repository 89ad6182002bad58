/**
 * The identity API: every path with generated names, queries, headers and bodies, by an operator, by users, by nobody.
 *
 * @module
 */

import { assertShowsNoSecret, Finding, must } from "../refusals.ts";
import { asyncTarget, type FuzzTarget } from "../target.ts";
import { type ApiRequest, apiSequences } from "./api_sequences.ts";
import { type ApiPath, ApiVault } from "./api_vault.ts";

/** Inputs that one vault sees, at most. */
const VAULT_INPUTS = 500;
/** The statuses of the contract; what the vault itself got wrong would be 500. */
const STATUSES: ReadonlySet<number> = new Set([200, 201, 202, 204, 400, 403, 404, 405, 413, 415, 429, 503]);
/** Where OAuth 2.0 says how refusals look (RFC 6749 §5.2, RFC 6750 §3). */
const OAUTH = /identity\/+oidc\/+provider\/.*(?:authorize|token|userinfo)/;
/** Where a database server is asked, or a connection to one is missing, Vault says 500; these words are our own faults'. */
const OURS = /internal error, request id/;
/** Mistakes of callers that Vault answers by 500 as well. */
const MISTAKES = /username does not exist|policies have changed, not renewing|Field validation failed/;
const MAX_ERROR_CHARS = 3000;

let served: { readonly api: ApiVault; inputs: number } | undefined;
const paths = await pathsOfApi();
const open = paths.filter((one) => one.isOpen).map(toPattern);

/** Requests to the identity API. */
export const target: FuzzTarget = asyncTarget("api_requests", "json", apiSequences(paths), check, { close });

/** What only a vault with a history fails on is found too, and said so: to see it again takes the inputs before it. */
async function check(requests: readonly ApiRequest[]): Promise<void> {
  if (served === undefined || served.inputs >= VAULT_INPUTS) served = await renewed();
  served.inputs++;
  try {
    await send(requests, served.api);
  } catch (thrown) {
    if (!(thrown instanceof Finding)) throw thrown;
    served = await renewed();
    await send(requests, served.api);
    throw new Finding(`only after the inputs before it: ${thrown.message}`);
  }
}

async function renewed() {
  await close();
  return { api: await ApiVault.open(), inputs: 0 };
}

async function close(): Promise<void> {
  await served?.api.close();
  served = undefined;
}

async function pathsOfApi(): Promise<ApiPath[]> {
  const api = await ApiVault.open();
  try {
    return await api.paths();
  } finally {
    await api.close();
  }
}

async function send(requests: readonly ApiRequest[], api: ApiVault): Promise<void> {
  for (const sent of requests) {
    const request = toRequest(sent, api);
    if (request === null) continue;
    const before = api.changes;
    const response = await api.send(sent.caller, request);
    await assertAnswer(sent, response);
    const isClosed = sent.caller === "nobody" && !open.some((pattern) => pattern.test(new URL(request.url).pathname));
    if (!isClosed) continue;
    must(!response.ok, `${sent.method} ${sent.path.slice(0, 80)} answered nobody with ${response.status}`);
    must(api.changes === before, `${sent.method} ${sent.path.slice(0, 80)} of nobody changed something`);
  }
  assertShowsNoSecret("the log", api.takeLog());
}

/** Null for what no client can send. */
function toRequest({ method, path, headers, body }: ApiRequest, api: ApiVault): Request | null {
  const mayHaveBody = body !== null && method !== "GET" && method !== "HEAD";
  try {
    return new Request(`http://vault.test/v1/${api.fill(path)}`, {
      method,
      headers: headers.map(([name, value]): [string, string] => [name, value]),
      ...(mayHaveBody ? { body: api.fill(body) } : {}),
    });
  } catch {
    return null;
  }
}

async function assertAnswer({ method, path }: ApiRequest, response: Response): Promise<void> {
  const text = await response.text();
  const what = `${method} ${path.slice(0, 80)} answered ${response.status} ${text.slice(0, 300)}`;
  const isOauth = OAUTH.test(path);
  const isSaidBy500 = response.status === 500 && !OURS.test(text) &&
    (path.startsWith("database/") || MISTAKES.test(text));
  must(STATUSES.has(response.status) || isOauth && response.status === 401 || isSaidBy500, what);
  // The listener leaves the body of a HEAD out.
  if (method === "HEAD") return;
  if (response.status === 204) return must(text === "", what);
  if (response.ok) return;
  assertShowsNoSecret(what, text);
  must(text.length <= MAX_ERROR_CHARS, what);
  const { errors, error } = JSON.parse(text) as { errors?: unknown; error?: unknown };
  const isPlain = Array.isArray(errors) && errors.every((one) => typeof one === "string");
  must(isPlain || isOauth && typeof error === "string", what);
}

/** An open path as a pattern of what requests may call it: an escape or a doubled slash makes no other path of it. */
function toPattern({ path }: ApiPath): RegExp {
  const literal = path.split("/").map((one) => one.startsWith("{") ? "[^/]*" : one.replaceAll(".", "\\."));
  return new RegExp(`^/v1/+${literal.join("/+")}(?:/|$)`);
}
