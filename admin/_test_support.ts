/**
 * An admin API over fakes, behind real listeners, for the tests of this room.
 *
 * @module
 */

import { NO_AUDIT } from "../tests/fakes/no_audit.ts";
import { FAKE_NOW, type FakeAdminVault, fakeAdminVault } from "../tests/fakes/admin_vault.ts";
import { fakeBackups } from "../tests/fakes/backups.ts";
import { countingRandom, FakeClock, MemoryLogger } from "../tests/fakes/ports.ts";
import { type AdminHandler, createAdminApp } from "./app.ts";
import { type AdminListener, listenAdminTcp } from "./listener.ts";
import type { AdminParts, ProcessFacts } from "./ports.ts";
import type { StatusReport } from "./wire.ts";

/** A token of the right form. */
export const ADMIN_TOKEN = `adm_${"5a".repeat(32)}`;

/** Facts that never change. */
const FAKE_STATUS: StatusReport = {
  version: "0.0.1",
  runtime: "deno 2.8.3",
  pid: 4711,
  started_at: new Date(FAKE_NOW).toISOString(),
  uptime_seconds: 3725,
  health: "healthy",
  reasons: [],
  users: 1,
  tokens: 1,
  roles: 1,
  secret_version: 1,
  envelope_v1: "accept",
  addresses: { grpc: "127.0.0.1:50051", api: null, admin: "127.0.0.1:8081", admin_socket: null, metrics: null },
  files: [],
  fhe_key_id: null,
  tls: { mode: "auto", ca_sha256: "ab".repeat(32), ca_path: "/var/lib/runevault/tls/ca.pem" },
};

/** Facts for an app under test. */
const fakeFacts: ProcessFacts = { version: () => "0.0.1", status: () => FAKE_STATUS };

/** An app and what it is made of. */
export interface AppUnderTest {
  readonly vault: FakeAdminVault;
  readonly logger: MemoryLogger;
  readonly clock: FakeClock;
  readonly handle: AdminHandler;
}

/** What may be other than in every test. */
export interface AppOptions {
  readonly bodyTimeoutMs?: number;
  readonly identityApi?: NonNullable<AdminParts["identityApi"]>;
  readonly operators?: AdminParts["vault"]["operators"];
}

/** Makes an app over a fake vault. */
export function makeApp({ bodyTimeoutMs = 30_000, identityApi, operators }: AppOptions = {}): AppUnderTest {
  const vault = fakeAdminVault();
  const logger = new MemoryLogger();
  const clock = new FakeClock(FAKE_NOW);
  const random = countingRandom();
  const parts = {
    vault: operators === undefined ? vault : { ...vault, operators },
    facts: fakeFacts,
    backups: fakeBackups,
    tls: { renew: null },
    adminToken: ADMIN_TOKEN,
    uid: 1000,
    logger,
    clock,
    random,
    bodyTimeoutMs,
    ...(identityApi === undefined ? {} : { identityApi }),
  };
  return { vault, logger, clock, handle: createAdminApp({ ...NO_AUDIT, ...parts }) };
}

/** An app behind a TCP listener. */
export interface ServedApp extends AppUnderTest, AsyncDisposable {
  readonly listener: AdminListener;
  readonly url: string;
  readonly port: number;
  /** Sends a request with the admin token; a body that is no text is sent as JSON. */
  call(method: string, path: string, body?: unknown): Promise<Response>;
}

/** Serves an app on a free loopback port. */
export async function serveApp(options?: AppOptions): Promise<ServedApp> {
  const app = makeApp(options);
  const listener = await listenAdminTcp({ hostname: "127.0.0.1", port: 0 }, app.handle, app.logger);
  const url = `http://${listener.address}`;
  return {
    ...app,
    listener,
    url,
    port: Number(new URL(url).port),
    call: (method, path, body) => fetch(url + path, requestInit(method, body)),
    [Symbol.asyncDispose]: () => listener.shutdown(1000),
  };
}

function requestInit(method: string, body: unknown): RequestInit {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  if (body === undefined) return { method, headers };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { method, headers: { ...headers, "content-type": "application/json" }, body: text };
}

/** Sends text as it is and returns the answer, or what came until the other side closed or was silent for `waitMs`. */
export async function sendRaw(port: number, text: string, waitMs = 20_000): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await writeAll(connection, new TextEncoder().encode(text));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let answer = "";
  while (!isWhole(answer)) {
    const count = await readWithin(connection, buffer, waitMs);
    if (count === null) break;
    answer += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return answer;
}

/** Whether an answer whose length is said is all there. */
function isWhole(answer: string): boolean {
  const length = /^content-length: ([0-9]+)\r$/im.exec(answer)?.[1];
  const body = answer.indexOf("\r\n\r\n") + 4;
  return length !== undefined && body > 3 && answer.length >= body + Number(length);
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Null at the end, after a reset, and after `waitMs` of silence. */
async function readWithin(connection: Deno.Conn, buffer: Uint8Array, waitMs: number): Promise<number | null> {
  const { promise: silence, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), waitMs);
  const read = connection.read(buffer).catch(() => null);
  const count = await Promise.race([read, silence]);
  clearTimeout(timer);
  return count;
}

/** The `kind` of an error's body. */
export async function kindOf(response: Response): Promise<string> {
  const body = await response.json() as { kind: string };
  return body.kind;
}
