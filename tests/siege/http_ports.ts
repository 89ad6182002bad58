/**
 * Attacks on the ports as such: more connections than there are descriptors, and bodies that never end.
 *
 * @module
 */

import { AdminHttp, sleep } from "../clients.ts";
import { type Attack, must } from "./attack.ts";
import { crowd, type Door, Ground } from "./ground.ts";

const DOORS: readonly Door[] = ["api", "admin", "admin_socket", "metrics", "grpc"];
/** Descriptors that the server may have; more connections than that are opened on each port. */
const DESCRIPTORS = 2000;
const FLOOD = 2500;
const MAX_RESIDENT_BYTES = 1024 ** 3;
/** How soon after a flood every port answers. */
const RECOVERY_MS = 5000;

/** Idle sockets beyond the descriptor limit, on each port in turn, the others and the store working meanwhile. */
export const idleSockets: Attack = {
  name: "idle sockets",
  hasTls: "long",
  run: async (siege) => {
    const under = ["prlimit", `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`];
    await using ground = await Ground.start(siege, { under });
    let [slowest, calls] = [0, 0];
    for (const door of siege.isLong ? DOORS : DOORS.slice(0, 1).concat("grpc")) {
      const besieged = await ground.besiege(() => flood(ground, door));
      [slowest, calls] = [Math.max(slowest, besieged.slowestMs), calls + besieged.calls];
      await within(RECOVERY_MS, `every port answers after the flood on ${door}`, () => answersEverywhere(ground));
    }
    const resident = await ground.resident();
    must(resident < MAX_RESIDENT_BYTES, `${resident} bytes are resident`);
    return `${FLOOD} sockets on each of ${siege.isLong ? DOORS.length : 2} ports, ${DESCRIPTORS} descriptors; ` +
      `${calls} valid calls answered, slowest ${
        slowest.toFixed(0)
      } ms; changes committed meanwhile; every port back within 5 s`;
  },
};

async function flood(ground: Ground, door: Door): Promise<void> {
  const sockets: Deno.Conn[] = [];
  const open = async () => {
    const socket = await rawSocket(ground, door).catch(() => null);
    if (socket !== null) sockets.push(socket);
  };
  await crowd(FLOOD, 100, open);
  await changes(ground, door);
  await sleep(500);
  for (const socket of sockets) socket.close();
}

/** The socket alone, before any TLS. */
function rawSocket(ground: Ground, door: Door): Promise<Deno.Conn> {
  const address = ground.server.addresses[door]!;
  if (door === "admin_socket") return Deno.connect({ transport: "unix", path: address });
  return Deno.connect({ hostname: "127.0.0.1", port: Number(address.split(":").at(-1)) });
}

/** The store has descriptors left: a change is committed, and its YAML files are written. */
async function changes(ground: Ground, door: Door): Promise<void> {
  if (door === "admin_socket") return;
  using admin = AdminHttp.of(ground.server);
  const user = `flooded-${door.replace("_", "-")}`;
  await admin.issue(user, "besieged");
  await admin.revoke(user);
}

async function answersEverywhere(ground: Ground): Promise<void> {
  await ground.call();
  for (const door of ["api", "admin", "admin_socket", "metrics"] as const) await ask(ground, door);
}

const GET: Readonly<Partial<Record<Door, string>>> = {
  api: "/v1/sys/health",
  admin: "/proof?nonce=00&id=00",
  admin_socket: "/status",
  metrics: "/health",
};

/** Asks an HTTP port something that it answers; throws where it doesn't within the time. */
async function ask(ground: Ground, door: Door): Promise<void> {
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

async function write(socket: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** Tries until it works, as a client does whose connection was closed. */
async function within(ms: number, what: string, work: () => Promise<void>): Promise<number> {
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

const SLOW_BODIES = 300;
const SLOW_DOORS = ["api", "admin", "admin_socket", "metrics"] as const;
/** A request that came among slow ones is answered once one of them has had its five seconds. */
const ANSWER_MS = 15_000;
const POST: Readonly<Record<(typeof SLOW_DOORS)[number], string>> = {
  api: "/v1/auth/userpass/login/alice",
  admin: "/users",
  admin_socket: "/tokens",
  metrics: "/metrics",
};

/** Requests whose bodies trickle, more than there are places on each HTTP port. */
export const slowBodies: Attack = {
  name: "slow bodies",
  hasTls: "long",
  run: async (siege) => {
    await using ground = await Ground.start(siege);
    let slowest = 0;
    const outcome = await ground.besiegeTwice(async (share) => {
      for (const door of siege.isLong ? SLOW_DOORS : SLOW_DOORS.slice(0, 1)) {
        const ms = await trickle(ground, door, Math.ceil(SLOW_BODIES * share));
        slowest = Math.max(slowest, ms);
      }
    }, siege.isLong ? 1 : 0.2);
    return `${SLOW_BODIES} bodies at a byte a second on ${
      siege.isLong ? "each HTTP port" : "the API's port"
    }, answered there after ${slowest.toFixed(0)} ms at most; ${outcome}`;
  },
};

/** Holds the bodies until a valid request on the same port was answered; returns how long that took. */
async function trickle(ground: Ground, door: (typeof SLOW_DOORS)[number], bodies: number): Promise<number> {
  const sockets: Deno.Conn[] = [];
  await crowd(bodies, 50, async () => {
    const socket = await ground.connect(door).catch(() => null);
    if (socket === null) return;
    sockets.push(socket);
    const head = `POST ${POST[door]} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`;
    await write(socket, `${head}content-length: 1000\r\n\r\n{`).catch(() => {});
  });
  const timer = setInterval(
    () => sockets.forEach((socket) => void socket.write(new Uint8Array([32])).catch(() => {})),
    1000,
  );
  try {
    return await within(ANSWER_MS, `${door} answers among slow bodies`, () => ask(ground, door));
  } finally {
    clearInterval(timer);
    for (const socket of sockets) socket.close();
  }
}
