/**
 * From a command's options to the identity API's answer on the terminal.
 *
 * Where RUNEVAULT_TOKEN (or VAULT_TOKEN) is set, its holder asks, at RUNEVAULT_ADDR (or VAULT_ADDR); else the operator
 * of this machine does, through the admin API, which passes `/v1/…` on.
 *
 * @module
 */

import { readBounded, toVaultError } from "../admin/client.ts";
import { VaultError } from "../vault/errors.ts";
import { escapeControls } from "./format.ts";
import type { Io } from "./io.ts";
import type { GlobalOptions } from "./program.ts";
import { connect, dataDirOf } from "./session.ts";

/** A question to the identity API. */
export interface ApiQuestion {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Without `/v1/`, percent-encoded. */
  readonly path: string;
  readonly body?: unknown;
}

const DEFAULT_ADDRESS = "127.0.0.1:8200";
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * Asks the identity API and prints: with `--json` the answer as it is, else what `show` makes of it.
 *
 * @param show Gets null for an answer without a body.
 * @throws {VaultError} what the server or the way to it refuses.
 */
export async function answerApi<T>(
  io: Io,
  globals: GlobalOptions,
  question: ApiQuestion,
  show: (body: T) => string,
): Promise<void> {
  const text = await askApi(io, globals, question);
  const body = text === "" ? null : JSON.parse(text) as T & { readonly warnings?: readonly string[] | null };
  for (const warning of body?.warnings ?? []) await io.err(`Warning: ${escapeControls(warning)}\n`);
  if (globals.json) await io.out(`${text === "" ? "{}" : escapeControls(text)}\n`);
  else await io.out(show(body as T));
}

/** Asks and returns the answer's text. */
export async function askApi(io: Io, globals: GlobalOptions, question: ApiQuestion): Promise<string> {
  const token = io.env("RUNEVAULT_TOKEN") || io.env("VAULT_TOKEN");
  if (token) return await askRemote(io, globals, question, token);
  using client = await connect(io, globals);
  return await readBounded(
    new Response(await client.bytes(question.method, `/v1/${question.path}`, question.body)),
    MAX_ANSWER_BYTES,
  );
}

/** Asks over the network, with a token or without one. */
export async function askRemote(
  io: Io,
  globals: GlobalOptions,
  { method, path, body }: ApiQuestion,
  token?: string,
): Promise<string> {
  const { address, caCerts } = await place(io, globals);
  using client = Deno.createHttpClient(caCerts === undefined ? {} : { caCerts: [caCerts] });
  let response: Response;
  try {
    response = await fetch(`${address}/v1/${path}`, {
      method,
      client,
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        "x-vault-request": "true",
        ...(token === undefined ? {} : { "x-vault-token": token }),
        ...(method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new VaultError("unreachable", `The identity API at ${address} can't be reached`, {
      hint: "set RUNEVAULT_ADDR, and RUNEVAULT_CACERT for a private authority; certificates are always checked",
      cause,
    });
  }
  const text = await readBounded(response, MAX_ANSWER_BYTES);
  if (response.ok) return text;
  throw toVaultError(response.status, text);
}

/** Where the API is, and whose authority its certificate must come from. */
async function place(io: Io, globals: GlobalOptions): Promise<{ address: string; caCerts: string | undefined }> {
  const folder = dataDirOf(io, globals);
  const named = io.env("RUNEVAULT_CACERT") || io.env("VAULT_CACERT");
  const caCerts = named === undefined ? await textOrNone(`${folder}/tls/ca.pem`) : await certificate(named);
  const given = io.env("RUNEVAULT_ADDR") || io.env("VAULT_ADDR");
  if (given !== undefined) return { address: origin(given), caCerts };
  const addresses = await textOrNone(`${folder}/addresses.json`);
  const api = addresses === undefined ? DEFAULT_ADDRESS : (JSON.parse(addresses) as { api?: string }).api;
  if (!api) {
    throw new VaultError("unreachable", "The running server has no identity API", {
      hint: "start it without --api-addr off",
    });
  }
  return { address: `${caCerts === undefined ? "http" : "https"}://${api}`, caCerts };
}

function origin(given: string): string {
  const url = URL.parse(given);
  if (url !== null && (url.protocol === "https:" || url.protocol === "http:")) return url.origin;
  throw new VaultError("usage", "RUNEVAULT_ADDR is no address", {
    hint: "give scheme, host and port: https://vault:8200",
  });
}

async function certificate(path: string): Promise<string> {
  const text = await textOrNone(path);
  if (text === undefined) throw new VaultError("usage", `The CA certificate ${path} can't be read`);
  return text;
}

async function textOrNone(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

/** A path with names in it, each percent-encoded: ``apiPath`identity/entity/name/${name}` ``. */
export function apiPath(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return parts.map((part, i) => part + (names[i] === undefined ? "" : encodeURIComponent(names[i]))).join("");
}

/** The keys of a list; nothing for an answer that there are none. */
export async function listKeys(io: Io, globals: GlobalOptions, path: string): Promise<void> {
  try {
    const show = ({ data }: { data: { keys: readonly string[] } }) =>
      data.keys.map((key) => `${escapeControls(key)}\n`).join("");
    await answerApi(io, globals, { method: "GET", path: `${path}?list=true` }, show);
  } catch (error) {
    if (!(error instanceof VaultError) || error.kind !== "not_found") throw error;
    await io.out(globals.json ? '{"data":{"keys":[]}}\n' : "");
  }
}

/** For answers that say nothing but that it is done. */
export function done(text: string): () => string {
  return () => `${escapeControls(text)}\n`;
}

/** The `data` of an answer as lines of `name: value`. */
export function showData({ data }: { readonly data: Readonly<Record<string, unknown>> }): string {
  const text = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value);
  return Object.entries(data).map(([key, value]) => `${escapeControls(key)}: ${escapeControls(text(value))}\n`).join(
    "",
  );
}
