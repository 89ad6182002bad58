/**
 * The admin API: every route with generated paths, queries, headers and bodies, one after the other on one vault.
 *
 * Half of the vaults are fakes. The others have the real services for tokens, roles, users and secrets over a store in
 * memory, so that what the routes let through meets what it is for.
 *
 * @module
 */

import { NO_AUDIT } from "../../fakes/no_audit.ts";
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
import { fakeBackups } from "../../fakes/backups.ts";
import { MemoryStore } from "../../fakes/memory_store.ts";
import { countingRandom, FakeClock, MemoryLogger } from "../../fakes/ports.ts";
import { assertShowsNoSecret, must, PLANTED } from "../refusals.ts";
import { asyncTarget, type FuzzTarget } from "../target.ts";
import { PORT, type Sent, type Sequence, sequences } from "./admin_requests.ts";

/** Requests to the admin API. */
export const target: FuzzTarget = asyncTarget("admin_api", "json", sequences, check);

/** An app on a vault of its own, with what it was told to log and to change. */
interface Served {
  readonly handle: AdminHandler;
  readonly logger: MemoryLogger;
  /** Changes so far. */
  readonly changes: () => number;
}

async function check({ door: kind, vault, requests }: Sequence): Promise<void> {
  const served = vault === "fake" ? serve(fakeVault()) : serve(await realVault());
  const door: AdminDoor = kind === "unix" ? { kind } : { kind, hostname: "127.0.0.1", port: PORT };
  for (const sent of requests) {
    const request = toRequest(sent);
    if (request === null) continue;
    const before = served.changes();
    const response = await served.handle(request, door);
    await assertAnswer(sent, response);
    if (door.kind === "tcp" && !isAuthorized(sent) && !isOpen(request)) {
      must([401, 403].includes(response.status), `${response.status} without the admin token`);
    }
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
function mayChange(sent: Sent, door: AdminDoor): boolean {
  const { method, headers } = sent;
  const value = (name: string) => headers.find(([n]) => n === name)?.[1];
  if (method === "GET" || method === "HEAD") return false;
  if (value("origin")?.includes("evil") || value("origin") === "null" || value("sec-fetch-site") === "cross-site") {
    return false;
  }
  if (value("host")!.includes("evil")) return false;
  return door.kind === "unix" || isAuthorized(sent);
}

function isAuthorized({ headers }: Sent): boolean {
  return headers.some(([name, value]) => name === "authorization" && value === `Bearer ${PLANTED.adminToken}`);
}

/** `/proof` alone answers without a token. */
function isOpen(request: Request): boolean {
  return new URL(request.url).pathname === "/proof";
}

function serve({ vault, changes }: { vault: AdminVault; changes: () => number }): Served {
  const logger = new MemoryLogger();
  // A cipher as the source, as other tests have it, would keep its memory in the runtime until the process ends.
  const random = countingRandom();
  const parts = {
    vault,
    facts: FACTS,
    backups: fakeBackups,
    tls: { renew: null },
    adminToken: PLANTED.adminToken,
    uid: 0,
    logger,
    clock: new FakeClock(FAKE_NOW),
    random,
  };
  return { logger, changes, handle: createAdminApp({ ...NO_AUDIT, ...parts }) };
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
    countingRandom(),
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
