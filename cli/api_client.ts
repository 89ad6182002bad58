/**
 * One question to the identity API, over either way: with a token over the network, or as the operator of this machine
 * through the admin API, which passes `/v1/…` on.
 *
 * @module
 */

import { readBounded, toVaultError } from "../admin/client.ts";
import { VaultError } from "../vault/errors.ts";
import { hinted } from "./api_hints.ts";
import { type ApiOptions, findApi, isRemote, tokenOf } from "./api_place.ts";
import type { Io } from "./io.ts";
import { connect } from "./session.ts";
import { speaksTls } from "./tls_port.ts";

/** A question to the identity API. */
export interface ApiQuestion {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Without `/v1/`, percent-encoded. */
  readonly path: string;
  readonly body?: unknown;
}

const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * Asks as whoever the options and the environment say, and returns the answer's text: JSON, or empty.
 *
 * @throws {VaultError} what the server or the way to it refuses.
 */
export function askApi(io: Io, globals: ApiOptions, question: ApiQuestion): Promise<string> {
  return withHints(question, async () => {
    if (isRemote(io, globals)) return await askRemote(io, globals, question, tokenOf(io));
    return await askAsOperator(io, globals, question);
  });
}

/** Asks over the network as nobody, which suffices to log in. */
export function askWithoutToken(io: Io, globals: ApiOptions, question: ApiQuestion): Promise<string> {
  return withHints(question, () => askRemote(io, globals, question, undefined));
}

async function withHints<T>(question: ApiQuestion, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw hinted(error, question);
  }
}

async function askRemote(
  io: Io,
  globals: ApiOptions,
  question: ApiQuestion,
  token: string | undefined,
): Promise<string> {
  const { url, caCerts } = await findApi(io, globals);
  using http = openHttp(url, caCerts);
  const { status, text } = await send(io, http, url, question, token);
  if (status >= 300) throw toVaultError(status, text);
  if (text === "" || isJson(text)) return text;
  throw new VaultError("unreachable", `What answers at ${url.origin} is no vault`, { hint: "is the address right?" });
}

async function askAsOperator(io: Io, globals: ApiOptions, { method, path, body }: ApiQuestion): Promise<string> {
  using client = await connect(io, globals);
  return await readBounded(new Response(await client.bytes(method, `/v1/${path}`, body)), MAX_ANSWER_BYTES);
}

/** Plain HTTP connects straight: a proxy from the environment would read the token. */
function openHttp({ protocol, hostname, port }: URL, caCerts: string | undefined): Deno.HttpClient {
  if (protocol === "https:") return Deno.createHttpClient(caCerts === undefined ? {} : { caCerts: [caCerts] });
  const host = hostname.replace(/^\[|\]$/g, "");
  return Deno.createHttpClient({ proxy: { transport: "tcp", hostname: host, port: Number(port || 80) } });
}

async function send(
  io: Io,
  client: Deno.HttpClient,
  url: URL,
  { method, path, body }: ApiQuestion,
  token: string | undefined,
): Promise<{ status: number; text: string }> {
  try {
    const answer = await fetch(`${url.origin}/v1/${path}`, {
      method,
      client,
      // A redirect would take the token to wherever the answer says.
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        "x-vault-request": "true",
        ...(token === undefined ? {} : { "x-vault-token": token }),
        ...(method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await readBounded(answer, MAX_ANSWER_BYTES) };
  } catch (cause) {
    throw new VaultError("unreachable", `The identity API at ${url.origin} can't be reached`, {
      hint: url.protocol === "http:" && await speaksTls(url)
        ? `the port speaks TLS: use https://${url.host}`
        : reachHint(io),
      cause,
    });
  }
}

function reachHint(io: Io): string {
  const usual = "set RUNEVAULT_ADDR, and RUNEVAULT_CACERT for a private authority; certificates are always checked";
  if (!io.env("VAULT_SKIP_VERIFY")) return usual;
  return `${usual}: VAULT_SKIP_VERIFY is not honoured, since the token would go to whoever answers`;
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
