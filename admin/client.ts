/**
 * The client of the admin API, for the command line: finds the server, makes sure that it is the server, asks.
 *
 * Loads nothing of the server or the domain but `vault/errors.ts`, so that commands start fast.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import { type AdminTarget, adminTargets, showTarget, type TargetOptions } from "./client_target.ts";
import { toVaultError } from "./client_problem.ts";
import { readBounded } from "./client_read.ts";
import type { OperatorTokenOptions } from "./client_token.ts";

export { toVaultError } from "./client_problem.ts";
export { readBounded } from "./client_read.ts";
export type { AdminTarget, TargetOptions } from "./client_target.ts";

/** How to find the server and how long to wait for it. */
export interface ClientOptions extends TargetOptions, OperatorTokenOptions {
  /** Who called sudo, as the environment says; it is only noted. */
  readonly sudoUser?: string;
  /** For one answer, from the question to its last byte; 30 s where absent. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_PROBLEM_BYTES = 65_536;
/** RFC 7396 §4; what the identity API wants of a PATCH. */
const MERGE_PATCH = "application/merge-patch+json";
const DOT_SEGMENTS: ReadonlySet<string> = new Set(["", ".", ".."]);

/** What says who asks: headers for one request. */
type Credentials = (http: Deno.HttpClient, signal: AbortSignal) => Promise<Readonly<Record<string, string>>>;

/** Asks a running server. Dispose of it when done. */
export class AdminClient implements Disposable {
  readonly #target: AdminTarget;
  readonly #http: Deno.HttpClient;
  readonly #timeoutMs: number;
  readonly #credentials: Credentials;

  constructor(target: AdminTarget, http: Deno.HttpClient, credentials: Credentials, timeoutMs: number) {
    this.#target = target;
    this.#http = http;
    this.#credentials = credentials;
    this.#timeoutMs = timeoutMs;
  }

  /** Asks and parses the answer. */
  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.#ask(method, path, body);
    return await this.#orUnreachable(method, answer.json() as Promise<T>);
  }

  /** Asks and returns the answer's bytes as the server sends them; they end with `unreachable` where it breaks off. */
  async bytes(method: string, path: string, body?: unknown): Promise<ReadableStream<Uint8Array>> {
    return ReadableStream.from(this.#chunks((await this.#ask(method, path, body)).body ?? []));
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }

  /** The place is proven before every single question: the server may have ended since the last one. */
  async #ask(method: string, path: string, body: unknown): Promise<Response> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const credentials = await this.#credentials(this.#http, signal);
    const answer = await this.#orUnreachable(
      method,
      fetch(`${originOf(this.#target)}${path}`, {
        method,
        signal,
        client: this.#http,
        // A redirect would take the request, and what it carries, to wherever the answer says.
        redirect: "error",
        headers: {
          ...credentials,
          ...(body === undefined ? {} : { "content-type": method === "PATCH" ? MERGE_PATCH : "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
    if (answer.ok) return answer;
    throw toVaultError(answer.status, await this.#orUnreachable(method, readBounded(answer, MAX_PROBLEM_BYTES)));
  }

  async *#chunks(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (cause) {
      throw unreachable(this.#target, this.#timeoutMs, cause);
    }
  }

  async #orUnreachable<T>(method: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (cause) {
      const error = unreachable(this.#target, this.#timeoutMs, cause);
      throw method === "GET" ? error : changeUnknown(error);
    }
  }
}

/**
 * Finds the running server: the first of its places where somebody listens.
 *
 * @throws {VaultError} `unreachable` when there is none; `usage` for an address that is none.
 */
export async function connectAdmin(options: ClientOptions): Promise<AdminClient> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const targets = await adminTargets(options);
  let refusal: VaultError | undefined;
  for (const target of targets) {
    const found = await probe(target);
    if (found === "listens") return await openClient(target, options, timeoutMs);
    refusal ??= found === "forbidden" ? forbidden(target) : undefined;
  }
  throw refusal ?? notRunning(targets, options);
}

/**
 * A path with names in it, each percent-encoded: ``adminPath`/tokens/${user}` ``. A name that URLs can't hold as a
 * segment (`.`, `..`, the empty one) goes into the query.
 */
export function adminPath(parts: TemplateStringsArray, ...names: readonly string[]): string {
  const odd = names.find((name) => DOT_SEGMENTS.has(name));
  const segments = names.map((name) => DOT_SEGMENTS.has(name) ? "-" : encodeURIComponent(name));
  const path = parts.map((part, i) => part + (segments[i] ?? "")).join("");
  return odd === undefined ? path : `${path}?name=${encodeURIComponent(odd)}`;
}

async function openClient(target: AdminTarget, options: ClientOptions, timeoutMs: number): Promise<AdminClient> {
  const http = openHttp(target);
  try {
    const credentials = target.kind === "unix"
      ? await socketCredentials(target.path, options)
      : await tcpCredentials(target, options);
    return new AdminClient(target, http, credentials, timeoutMs);
  } catch (error) {
    http.close();
    throw error;
  }
}

/** Over TCP the other side proves that it knows the token, before every question. */
async function tcpCredentials(target: AdminTarget & { kind: "tcp" }, options: ClientOptions): Promise<Credentials> {
  const { AdminProof } = await import("./client_proof.ts");
  const { ownToken } = await import("./client_token.ts");
  const own = await ownToken(options);
  const proof = own === undefined ? await AdminProof.load(options.dataDir, target) : new AdminProof(own, target);
  return async (http, signal) => ({ authorization: await proof.authorization(http, signal) });
}

/** The kernel guards who opens a socket; one that is open to a group asks who of them it is. */
async function socketCredentials(path: string, options: ClientOptions): Promise<Credentials> {
  const { assertOwnFolder, folderToken, ownToken } = await import("./client_token.ts");
  const token = await ownToken(options) ?? (await isShared(path) ? await folderToken(options.dataDir) : undefined);
  if (token !== undefined) await assertOwnFolder(path, options.dataDir);
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(options.sudoUser === undefined ? {} : { "x-runevault-sudo-user": options.sudoUser }),
  };
  return () => Promise.resolve(headers);
}

async function isShared(path: string): Promise<boolean> {
  return (((await Deno.stat(path)).mode ?? 0) & 0o077) !== 0;
}

/** Connects straight to the target: a proxy from the environment must not see an admin's requests. */
function openHttp(target: AdminTarget): Deno.HttpClient {
  if (target.kind === "unix") return Deno.createHttpClient({ proxy: { transport: "unix", path: target.path } });
  const { hostname, port } = target;
  return Deno.createHttpClient({ proxy: { transport: "tcp", hostname, port } });
}

function originOf(target: AdminTarget): string {
  return target.kind === "unix" ? "http://localhost" : `http://${showTarget(target)}`;
}

async function probe(target: AdminTarget): Promise<"listens" | "forbidden" | "nobody"> {
  try {
    const connection = target.kind === "unix"
      ? await Deno.connect({ transport: "unix", path: target.path })
      : await Deno.connect({ hostname: target.hostname, port: target.port });
    connection.close();
    return "listens";
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied ? "forbidden" : "nobody";
  }
}

function forbidden(target: AdminTarget): VaultError {
  return new VaultError("unreachable", `You may not open ${showTarget(target)}`, {
    hint: "run this as the user that the server runs as, or with sudo",
  });
}

function notRunning(targets: readonly AdminTarget[], { dataDir }: ClientOptions): VaultError {
  if (targets.length === 0) {
    return new VaultError("unreachable", "The running server has no admin listener", {
      hint: "start it without --admin-addr off and --admin-socket off",
    });
  }
  const places = targets.map(showTarget).join(" or ");
  return new VaultError("unreachable", `The server is not running: nobody answers on ${places}`, {
    hint: `start it with \`runevault serve\`, or give the --data-dir of the one that runs (now ${dataDir})`,
  });
}

function unreachable(target: AdminTarget, timeoutMs: number, cause: unknown): VaultError {
  const place = showTarget(target);
  const isLate = cause instanceof DOMException && cause.name === "TimeoutError";
  const message = isLate
    ? `The server on ${place} did not answer within ${timeoutMs / 1000} s`
    : `The connection to the server on ${place} broke before the answer was complete`;
  return new VaultError("unreachable", message, { cause });
}

/** A change that was asked for may have been made all the same. */
function changeUnknown({ message, cause }: VaultError): VaultError {
  const hint = "whether the change was made is not known: look with a list or show command";
  return new VaultError("unreachable", message, { hint, cause });
}
