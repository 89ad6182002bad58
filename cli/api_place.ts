/**
 * Where the identity API is for whoever holds a token, whose certificate it must show, and the token itself.
 *
 * The token leaves this process only over TLS, or in plain to this machine: `VAULT_SKIP_VERIFY` isn't honoured, since a
 * token that goes to whoever answers is a token given away.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import type { Io } from "./io.ts";
import type { GlobalOptions } from "./program.ts";
import { dataDirOf } from "./session.ts";

/** The options of every command that asks the identity API. */
export interface ApiOptions extends GlobalOptions {
  readonly address?: string | undefined;
}

/** An identity API as its clients reach it. */
export interface ApiPlace {
  readonly url: URL;
  /** Trusted beside the authorities that this machine trusts: PEM. */
  readonly caCerts: string | undefined;
}

const DEFAULT_URL = "https://127.0.0.1:8200";
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const LOG_IN = "export RUNEVAULT_TOKEN=$(runevault login NAME)";

/** Whether a command goes over the network as a token's holder, rather than through the admin API as the operator. */
export function isRemote(io: Io, { address, adminAddr, adminSocket }: ApiOptions): boolean {
  const isAdmin = adminAddr !== undefined || adminSocket !== undefined;
  if (address !== undefined && isAdmin) {
    throw new VaultError("usage", "Give --address, or --admin-addr or --admin-socket, not both");
  }
  return address !== undefined || (!isAdmin && givenToken(io) !== undefined);
}

/**
 * The token of the environment.
 *
 * @throws {VaultError} `usage` where there is none, or it can't be one; the text never shows it.
 */
export function tokenOf(io: Io): string {
  const token = givenToken(io);
  if (token === undefined) throw new VaultError("usage", "No token was given", { hint: LOG_IN });
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw new VaultError("usage", "RUNEVAULT_TOKEN (or VAULT_TOKEN) holds what no token has: a blank or a line break", {
    hint: LOG_IN,
  });
}

/**
 * Finds the identity API: what the command line says, else the environment, else the data folder.
 *
 * @throws {VaultError} `usage` for an address or a certificate that is none, `unreachable` where the API is off.
 */
export async function findApi(io: Io, globals: ApiOptions): Promise<ApiPlace> {
  const folder = dataDirOf(io, globals);
  const given = globals.address || io.env("RUNEVAULT_ADDR") || io.env("VAULT_ADDR");
  const url = given === undefined ? await ownUrl(folder) : parseAddress(given);
  assertSafe(url, io);
  return { url, caCerts: await authority(io, folder) };
}

function givenToken(io: Io): string | undefined {
  return io.env("RUNEVAULT_TOKEN") || io.env("VAULT_TOKEN") || undefined;
}

async function ownUrl(folder: string): Promise<URL> {
  const text = await textOrNone(`${folder}/addresses.json`);
  if (text === undefined) return new URL(DEFAULT_URL);
  const { api, api_tls } = JSON.parse(text) as { api?: string | null; api_tls?: string };
  if (api) return new URL(`${api_tls === "off" ? "http" : "https"}://${api}`);
  throw new VaultError("unreachable", "The running server has no identity API", {
    hint: "start it without --api-addr off",
  });
}

function parseAddress(given: string): URL {
  const url = URL.parse(given);
  const isPlain = url !== null && url.username === "" && url.password === "" && /^https?:$/.test(url.protocol);
  if (isPlain) return url;
  throw new VaultError("usage", "The address of the identity API (--address, RUNEVAULT_ADDR or VAULT_ADDR) is none", {
    hint: "give scheme, host and port, such as https://vault.example.org:8200",
  });
}

function assertSafe(url: URL, io: Io): void {
  const isAllowed = /^(1|true)$/i.test(io.env("RUNEVAULT_ALLOW_PLAINTEXT") ?? "");
  if (url.protocol === "https:" || LOOPBACK.test(url.hostname) || isAllowed) return;
  throw new VaultError("usage", `${url.origin} would get the token or password in plain`, {
    hint: "give an https:// address; on a network that nobody else hears, RUNEVAULT_ALLOW_PLAINTEXT=true allows it",
  });
}

async function authority(io: Io, folder: string): Promise<string | undefined> {
  const path = io.env("RUNEVAULT_CACERT") || io.env("VAULT_CACERT");
  if (!path) return await textOrNone(`${folder}/tls/ca.pem`);
  const text = await textOrNone(path);
  if (text?.includes("-----BEGIN CERTIFICATE-----")) return text;
  const why = text === undefined ? "can't be read" : "holds no certificate in PEM form";
  throw new VaultError("usage", `${path} ${why}`, { hint: "RUNEVAULT_CACERT (or VAULT_CACERT) names it" });
}

async function textOrNone(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}
