/**
 * A server that aborts, and what starts it again as the service unit of `install.sh` does.
 *
 * @module
 */

import { status } from "@grpc/grpc-js";
import { RawHttp2 } from "../../server/grpc/_raw_http2.ts";
import { AdminHttp, sleep, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { type Attack, must } from "./attack.ts";
import { rapidResets } from "./http2.ts";

const SHORT_ABORTS = 2;
const LONG_ABORTS = 10;
/** As many as end an old runtime nearly always; a new one ends the connection, again and again. */
const RESETS = 2000;
const TRIES = 3;
const DYING_MS = 1000;
/** From the abort to a valid answer: the unit's two seconds, and a start on a machine with other work. */
const AWAY_MS = 30_000;
const UNIT = new URL("../../install.sh", import.meta.url);

/** Ends the server by what ends its runtime, else by SIGABRT, and measures until a valid call is answered again. */
export const aborts: Attack = {
  name: "aborts",
  hasTls: false,
  run: async ({ isLong }) => {
    await using folder = await temporaryFolder();
    const [wait, total] = [await restartSeconds(), isLong ? LONG_ABORTS : SHORT_ABORTS];
    // As the unit has it: a core dump would hold every key.
    const under = ["prlimit", "--core=0"];
    const options = { dataDir: folder.path, args: ["--grpc-addr", `127.0.0.1:${freePort()}`], under };
    const away: number[] = [];
    let byResets = 0;
    let server = await StartedServer.start(options);
    try {
      const token = await issue(server);
      for (let i = 0; i < total; i++) {
        if (await endsByResets(server)) byResets++;
        else server.signal("SIGABRT");
        must(await server.exited() !== 0, "it ended as one that was stopped");
        const began = performance.now();
        const starting = sleep(wait * 1000).then(() => StartedServer.start(options));
        const answered = answers(server.addresses.grpc!, token, began);
        server = await starting;
        away.push(await answered - began);
      }
    } finally {
      await server.stop();
    }
    return describe(away, byResets, wait);
  },
};

function describe(away: readonly number[], byResets: number, wait: number): string {
  const sorted = away.map((ms) => ms / 1000).sort((a, b) => a - b);
  const [least, middle, most] = [sorted[0]!, sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
  return `${away.length} aborts, ${byResets} of the runtime itself by ${RESETS} resets, the others by SIGABRT; started ` +
    `again after ${wait} s as the unit does: a valid answer after ${least.toFixed(1)} s at best, ${
      middle.toFixed(1)
    } s ` +
    `in the middle, ${most.toFixed(1)} s at worst, and the token that was issued before is accepted`;
}

/** What the unit waits before it starts a service that failed; throws where it would not. */
async function restartSeconds(): Promise<number> {
  const unit = await Deno.readTextFile(UNIT);
  const seconds = /^RestartSec=(\d+)$/m.exec(unit)?.[1];
  must(/^Restart=(always|on-failure|on-abort)$/m.test(unit) && seconds !== undefined, "the unit starts nothing again");
  return Number(seconds);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function issue(server: StartedServer): Promise<string> {
  using admin = AdminHttp.of(server);
  await admin.createRole("besieged", ["get_public_key"]);
  return await admin.issue("besieged", "besieged");
}

/** Whether the server ended by HTTP/2 streams that were opened and reset. */
async function endsByResets(server: StartedServer): Promise<boolean> {
  for (let i = 0; i < TRIES && !server.hasEnded; i++) {
    await rapidResets(() => RawHttp2.open(server.addresses.grpc!), RESETS).catch((error) => {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    });
    await sleep(DYING_MS);
  }
  return server.hasEnded;
}

/** Calls as clients do that go on trying; resolves with the moment of the first answer. */
async function answers(address: string, token: string, began: number): Promise<number> {
  for (;;) {
    using vault = new VaultClient(address);
    const { code, details } = await vault.manifest(token, { deadlineMs: 1000 });
    if (code === status.OK) return performance.now();
    must(
      performance.now() < began + AWAY_MS,
      `no valid answer ${AWAY_MS} ms after an abort: ${status[code]} ${details}`,
    );
    await sleep(50);
  }
}
