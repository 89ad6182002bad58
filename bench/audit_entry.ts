/**
 * What one entry of the audit trail costs by itself: in this process, into a real file, with as many requests ending in one
 * turn of the event loop as are asked for.
 *
 * @module
 */

import { AuditFile } from "../vault/audit/audit_file.ts";
import { Chain } from "../vault/audit/chain.ts";
import { ALLOWED } from "../vault/audit/encoding.ts";
import { GENESIS_HASH } from "../vault/audit/entry.ts";
import { type Audit, AuditTrail, UNRECORDED } from "../vault/audit/trail.ts";
import { systemClock, systemRandom } from "../server/clock.ts";

const ROUNDS = 40;
const ENTRIES_OF_A_ROUND = 1500;

function openTrail(path: string): AuditTrail {
  const key = systemRandom.bytes(32);
  const keyFile = { write: () => Promise.resolve(), close() {} };
  const chain = new Chain({ sequence: 0, hash: GENESIS_HASH, key });
  const surroundings = { clock: systemClock, random: systemRandom, logger: { log() {} } };
  return new AuditTrail({ ...surroundings, file: new AuditFile(path), keyFile, chain }, { outbox: [], opens: [] });
}

function record(audit: Audit, face: "api" | "grpc"): void | Promise<void> {
  const startedAt = systemClock.monotonic();
  const request = audit.begin({ id: crypto.randomUUID(), face, remoteAddress: "127.0.0.1", startedAt });
  request.operation = "read token/lookup-self";
  request.user = "alice";
  request.entityId = request.id;
  request.accessor = "AbCdEfGhIjKlMnOpQrStUvWx";
  request.resource = { path: "auth/token/lookup-self" };
  return audit.finish(request, ALLOWED);
}

/** Microseconds of an entry; the rest of the loop is in it. */
async function timed(audit: Audit, perTurn: number, face: "api" | "grpc"): Promise<number> {
  const started = performance.now();
  for (let i = 0; i < ENTRIES_OF_A_ROUND; i += perTurn) {
    await Promise.all(Array.from({ length: perTurn }, () => record(audit, face)));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return (performance.now() - started) * 1000 / ENTRIES_OF_A_ROUND;
}

/**
 * Microseconds of an entry where so many end in one turn: the best of many rounds, less those of a trail that is off.
 *
 * @param face The way in: requests over HTTP are written one by one, calls over gRPC that end in one turn together.
 */
export async function entryCost(perTurn: number, face: "api" | "grpc"): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-bench-" });
  const trail = openTrail(`${folder}/audit.log`);
  const best = { on: Infinity, off: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    best.on = Math.min(best.on, await timed(trail, perTurn, face));
    best.off = Math.min(best.off, await timed(UNRECORDED, perTurn, face));
  }
  await trail.abandon();
  await Deno.remove(folder, { recursive: true });
  return best.on - best.off;
}
