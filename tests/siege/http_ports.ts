/**
 * Attacks on the ports as such: more connections than there are descriptors, and bodies that never end.
 *
 * @module
 */

import { sleep } from "../clients.ts";
import { type Attack, count, type Siege } from "./attack.ts";
import { answersEverywhere, ask, change, HTTP_DOORS, mustGoOn, rawSocket, within, write } from "./doors.ts";
import { crowd, type Door, Ground } from "./ground.ts";

const DOORS: readonly Door[] = [...HTTP_DOORS, "grpc"];

/** How many idle sockets a port gets, and how many descriptors the server has for them. */
interface Flood {
  readonly sockets: number;
  readonly descriptors: number;
}

const SMALL_FLOOD: Flood = { sockets: 2500, descriptors: 2000 };
const LARGE_FLOOD: Flood = { sockets: 15_000, descriptors: 14_000 };
/** Clients that connect among sockets that keep coming, and how long each may try. */
const NEWCOMERS = 5;
const NEWCOMER_MS = 20_000;
/** What this process needs besides the sockets. */
const OWN_DESCRIPTORS = 500;

/** Idle sockets beyond the descriptor limit, on each port in turn, the others and the store working meanwhile. */
export const idleSockets: Attack = {
  name: "idle sockets",
  hasTls: "long",
  run: async (siege) => {
    const outcomes = [await floodEach(siege, SMALL_FLOOD, siege.isLong ? DOORS : ["api", "grpc"])];
    const most = await descriptorLimit();
    if (!siege.isLong) return outcomes.join();
    if (most < LARGE_FLOOD.sockets + OWN_DESCRIPTORS) {
      outcomes.push(`no more, as ${count(most)} descriptors are allowed`);
    } else outcomes.push(await floodEach(siege, LARGE_FLOOD, DOORS));
    return outcomes.join("; ");
  },
};

async function floodEach(siege: Siege, { sockets, descriptors }: Flood, doors: readonly Door[]): Promise<string> {
  await using ground = await Ground.start(siege, { under: ["prlimit", `--nofile=${descriptors}:${descriptors}`] });
  let [slowest, calls, newcomer] = [0, 0, 0];
  for (const door of doors) {
    const besieged = await ground.besiege(async () => {
      newcomer = Math.max(newcomer, await flood(ground, door, sockets));
    });
    [slowest, calls] = [Math.max(slowest, besieged.slowestMs), calls + besieged.calls];
    await mustGoOn(ground, `the flood on ${door}`);
  }
  return `${count(sockets)} sockets on each of ${doors.length} ports, ${count(descriptors)} descriptors; ${calls} ` +
    `valid calls answered, slowest ${slowest.toFixed(0)} ms; gRPC clients that came while sockets did were answered ` +
    `within ${newcomer.toFixed(0)} ms; the other ports answered and changes were committed ` +
    `meanwhile; every port back within 5 s; at most ${Math.round(await ground.mostResident() / 1e6)} MB`;
}

/** Returns the milliseconds that a newcomer on the gRPC port took, 0 for the other ports. */
async function flood(ground: Ground, door: Door, wanted: number): Promise<number> {
  const sockets: Deno.Conn[] = [];
  const open = async () => {
    const socket = await rawSocket(ground, door).catch(() => null);
    if (socket !== null) sockets.push(socket);
    if (sockets.length > wanted) sockets.shift()!.close();
  };
  try {
    await crowd(wanted, 100, open);
    await answersEverywhere(ground, door);
    if (door !== "admin_socket") await change(ground, `flooded-${door}`);
    await sleep(500);
    return door === "grpc" ? await newcomers(ground, open) : 0;
  } finally {
    for (const socket of sockets) socket.close();
  }
}

/** Who connects while more and more sockets come is answered too; returns how long it took at most. */
async function newcomers(ground: Ground, open: () => Promise<void>): Promise<number> {
  let isOver = false;
  const coming = (async () => {
    while (!isOver) {
      await crowd(100, 50, open);
      // Connections that are refused at once would leave this process no time for anything else.
      await sleep(1);
    }
  })();
  try {
    const attempts = Array.from({ length: NEWCOMERS }, () => {
      return within(NEWCOMER_MS, "a newcomer is answered", () => ground.callAnew());
    });
    return Math.max(...await Promise.all(attempts));
  } finally {
    isOver = true;
    await coming;
  }
}

async function descriptorLimit(): Promise<number> {
  return Number(/Max open files +(\d+)/.exec(await Deno.readTextFile("/proc/self/limits"))?.[1] ?? 0);
}

const SLOW_BODIES = 300;
/** A request that came among slow ones is answered once one of them has had its five seconds. */
const ANSWER_MS = 15_000;
const POST: Readonly<Record<(typeof HTTP_DOORS)[number], string>> = {
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
      for (const door of siege.isLong ? HTTP_DOORS : HTTP_DOORS.slice(0, 1)) {
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
async function trickle(ground: Ground, door: (typeof HTTP_DOORS)[number], bodies: number): Promise<number> {
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
