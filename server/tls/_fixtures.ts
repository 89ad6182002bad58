/**
 * What the tests of this room share: clocks that can be set, a logger that remembers, and certificates.
 *
 * @module
 */

import { join } from "node:path";
import { VaultError } from "../../vault/errors.ts";
import { type LoggedEvent, MemoryLogger } from "../../tests/fakes/ports.ts";
import type { Clock, RandomSource } from "../../vault/ports.ts";
import type { TlsPair } from "./material.ts";
import type { TlsNames, WantedTlsNames } from "./names.ts";
import { assertMatchingPair, type MatchingPair } from "./pair.ts";
import { createPrivateCa, issueServerCertificate } from "./private_ca.ts";

export const DAY_MS = 24 * 60 * 60 * 1000;
export const LOOPBACK: TlsNames = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1", "::1"] };

/** A clock that runs with the system's, `offsetMs` ahead of it. */
export class ShiftedClock implements Clock {
  constructor(public offsetMs = 0) {}
  now = () => Date.now() + this.offsetMs;
  monotonic = () => performance.now();
}

export const systemRandom: RandomSource = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) };

/** Keeps what it is told, and finds it by name. */
export class RecordingLogger extends MemoryLogger {
  named(event: string): LoggedEvent[] {
    return this.events.filter((one) => one.event === event);
  }
}

export function wanted(
  dnsNames: string[] = [],
  detected: Partial<TlsNames> = {},
  ipAddresses: string[] = [],
): WantedTlsNames {
  return {
    asked: {
      dnsNames: [...LOOPBACK.dnsNames, ...dnsNames],
      ipAddresses: [...LOOPBACK.ipAddresses, ...ipAddresses],
    },
    detected: { dnsNames: [], ipAddresses: [], ...detected },
  };
}

/** An authority, as if made `ageDays` ago; so old unless told that older server certificates fit under it. */
export async function madeCa(dnsNames = ["localhost"], ageDays = 500): Promise<MatchingPair> {
  const ca = await createPrivateCa(dnsNames, sourcesOf(ageDays));
  return assertMatchingPair(ca.certPem, ca.keyPem);
}

/** A server pair, as if made `ageDays` ago. */
export async function madeServer(ca: MatchingPair, names: TlsNames = LOOPBACK, ageDays = 0): Promise<TlsPair> {
  return await issueServerCertificate(ca, names, sourcesOf(ageDays));
}

function sourcesOf(ageDays: number) {
  return { clock: new ShiftedClock(-ageDays * DAY_MS), random: systemRandom };
}

/** Runs `body` with a fresh folder (mode 0700), which is removed afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-tls-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes a pair as `server.pem` and `server.key`, the key with mode 0600. */
export async function writePair(folder: string, pair: TlsPair): Promise<{ certPath: string; keyPath: string }> {
  const paths = { certPath: join(folder, "server.pem"), keyPath: join(folder, "server.key") };
  await Deno.writeTextFile(paths.certPath, pair.certPem);
  await Deno.writeTextFile(paths.keyPath, pair.keyPem, { mode: 0o600 });
  return paths;
}

/** The `config_invalid` that `body` fails with; fails itself when there is none or another error. */
export async function configError(body: () => unknown): Promise<VaultError> {
  try {
    await body();
  } catch (error) {
    if (error instanceof VaultError && error.kind === "config_invalid") return error;
    throw error;
  }
  throw new Error("Expected a config_invalid error");
}

/** Waits until `condition` holds; fails after ten seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 5) {
    if (condition()) return;
    await pause(5);
  }
  throw new Error(`Waited in vain: ${what}`);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Defines a test that needs the `openssl` command: ignored where that is missing, unless all tests are asked for. */
export function opensslTest(name: string, body: () => Promise<void>): void {
  const ignore = Deno.env.get("RUNEVAULT_TEST_ALL") !== "1" && !hasOpenssl();
  Deno.test({ name: ignore ? `${name} (needs: apt-get install openssl)` : name, ignore, fn: body });
}

function hasOpenssl(): boolean {
  try {
    return new Deno.Command("openssl", { args: ["version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What `openssl` answers: its exit and all it printed. */
export async function openssl(...args: string[]): Promise<{ ok: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command("openssl", { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { ok: success, text: decoder.decode(stdout) + decoder.decode(stderr) };
}
