/**
 * The doors of a server one by one: whether each answers, and whether what is behind them goes on.
 *
 * @module
 */

import { AdminHttp, sleep } from "../clients.ts";
import { must } from "./attack.ts";
import type { Door, Ground } from "./ground.ts";

/** The doors that speak HTTP/1.1. */
export const HTTP_DOORS = ["api", "admin", "admin_socket", "metrics"] as const;
/** How soon after an attack every port answers (S17). */
const RECOVERY_MS = 5000;
const MAX_RESIDENT_BYTES = 1024 ** 3;
const GET: Readonly<Record<(typeof HTTP_DOORS)[number], string>> = {
  api: "/v1/sys/health",
  admin: "/proof?nonce=00&id=00",
  admin_socket: "/status",
  metrics: "/health",
};

/** What holds after an attack on the resources of the whole process: every port answers soon, and memory was bounded. */
export async function mustGoOn(ground: Ground, attack: string): Promise<void> {
  await within(RECOVERY_MS, `every port answers after ${attack}`, () => answersEverywhere(ground));
  const bytes = await ground.mostResident();
  must(bytes < MAX_RESIDENT_BYTES, `${bytes} bytes were resident at most by the end of ${attack}`);
}

/** Asks every door, but for one that is under attack; throws where one doesn't answer. */
export async function answersEverywhere(ground: Ground, except?: Door): Promise<void> {
  if (except !== "grpc") await ground.call();
  for (const door of HTTP_DOORS) if (door !== except) await ask(ground, door);
}

/** Asks an HTTP port something that it answers; throws where it doesn't. */
export async function ask(ground: Ground, door: (typeof HTTP_DOORS)[number]): Promise<void> {
  const socket = await ground.connect(door);
  try {
    await write(socket, `GET ${GET[door]} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    const buffer = new Uint8Array(4096);
    const length = await socket.read(buffer);
    const head = new TextDecoder().decode(buffer.subarray(0, length ?? 0));
    must(/^HTTP\/1\.1 [234]/.test(head), `${door} said ${JSON.stringify(head.slice(0, 60))}`);
  } finally {
    socket.close();
  }
}

/** The store and the audit file have what they need: a change is committed, and its line is written. */
export async function change(ground: Ground, user: string): Promise<void> {
  using admin = AdminHttp.of(ground.server);
  const path = `${ground.server.dataDir}/audit.log`;
  const { size: before } = await Deno.stat(path);
  await admin.issue(user, "besieged");
  await admin.revoke(user);
  await within(RECOVERY_MS, "the audit file goes on", async () => {
    const { size } = await Deno.stat(path);
    must(size > before, `audit.log has ${size} bytes as before`);
  });
}

/** The socket alone, before any TLS. */
export function rawSocket(ground: Ground, door: Door): Promise<Deno.Conn> {
  const address = ground.server.addresses[door]!;
  if (door === "admin_socket") return Deno.connect({ transport: "unix", path: address });
  return Deno.connect({ hostname: "127.0.0.1", port: Number(address.split(":").at(-1)) });
}

/** Writes all of a text. */
export async function write(socket: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** Tries until it works, as a client does whose connection was closed; returns the milliseconds that it took. */
export async function within(ms: number, what: string, work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  for (;;) {
    try {
      await work();
      return performance.now() - began;
    } catch (error) {
      if (performance.now() > began + ms) throw new Error(`${what}: not within ${ms} ms`, { cause: error });
      await sleep(50);
    }
  }
}
