/**
 * The index of a large trail: how long it takes to make it anew from the files, and to answer. `RUNEVAULT_AUDIT_ENTRIES` says
 * how many entries; 10,000,000 take some 5 GB of room. Nothing here fails on a number.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { Chain } from "../vault/audit/chain.ts";
import { GENESIS_HASH } from "../vault/audit/entry.ts";
import { AuditIndex } from "../vault/audit/index/audit_index.ts";
import { formerName, trailFiles } from "../vault/audit/trail_files.ts";
import { verifyTrail } from "../vault/audit/verify.ts";

const ENTRIES = Number(Deno.env.get("RUNEVAULT_AUDIT_ENTRIES") ?? "200000");
const ENTRIES_OF_A_FILE = 500_000;
const USERS = 1000;
const KEY = new Uint8Array(32).fill(3);
const OPERATIONS = ["decrypt_metadata", "get_agent_manifest", "read token/lookup-self", "read database/creds/:name"];

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Of all threads: a machine with other work has the clock say little. */
function processorSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const usedBefore = processorSeconds();
  const result = await work();
  const used = (processorSeconds() - usedBefore).toFixed(2).padStart(7);
  print(`  ${what.padEnd(58)} ${((performance.now() - began) / 1000).toFixed(2).padStart(7)} s, processor ${used} s`);
  return result;
}

function entryOf(n: number): string {
  const user = n % USERS;
  return JSON.stringify({
    time: new Date(Date.UTC(2026, 0, 1) + n * 500).toISOString(),
    request_id: n.toString(16).padStart(16, "0"),
    face: "grpc",
    operation: OPERATIONS[n % OPERATIONS.length],
    decision: "allowed",
    user: `user-${user}`,
    entity_id: `01a2237e-5014-77ab-a819-${String(user).padStart(12, "0")}`,
    agent_id: String(user).padStart(32, "0"),
    remote_address: `192.0.2.${user % 250}`,
    duration_ms: 0.125,
  });
}

/** With more of them only the form of the hashes is right: the index doesn't look at them, and making them takes long. */
const MAX_CHAINED = 1_000_000;
const UNCHAINED = `,"prev":"${GENESIS_HASH}","mac":"${GENESIS_HASH}"}`;

function lineMaker(): (n: number) => string {
  const chain = new Chain({ sequence: 0, hash: GENESIS_HASH, key: KEY });
  if (ENTRIES <= MAX_CHAINED) return (n) => `${chain.append(entryOf(n))}\n`;
  return (n) => `{"seq":${n + 1},${entryOf(n).slice(1, -1)}${UNCHAINED}\n`;
}

/** Writes a trail as a vault does, in files of its rotation. */
function writeTrail(path: string): void {
  const folder = path.slice(0, path.lastIndexOf("/"));
  const line = lineMaker();
  const encoder = new TextEncoder();
  for (let n = 0; n < ENTRIES;) {
    const last = Math.min(ENTRIES, n + ENTRIES_OF_A_FILE);
    using file = Deno.openSync(last === ENTRIES ? path : `${folder}/${formerName("audit.log", last)}`, {
      write: true,
      create: true,
    });
    while (n < last) {
      const lines: string[] = [];
      for (const end = Math.min(last, n + 2000); n < end; n++) lines.push(line(n));
      const bytes = encoder.encode(lines.join(""));
      for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    }
  }
}

async function ask(index: AuditIndex, query: Parameters<AuditIndex["pages"]>[0]): Promise<number> {
  let count = 0;
  for await (const lines of index.pages(query)) count += lines.length;
  return count;
}

const folder = await Deno.makeTempDir({ prefix: "runevault-bench-audit-" });
try {
  const path = `${folder}/audit.log`;
  print(`The trail: ${ENTRIES.toLocaleString("en")} entries of ${USERS} users`);
  await timed("written", () => Promise.resolve(writeTrail(path)));
  const index = new AuditIndex(`${folder}/audit.db`, path);
  const added = await timed("index made anew from the files", () => index.catchUp());
  if (added !== ENTRIES) throw new Error(`${added} entries were indexed`);
  const newest = { user: "user-7", limit: 100, isNewest: true };
  await timed("audit query --user: the newest 100", () => ask(index, newest));
  const end = Date.UTC(2026, 0, 1) + ENTRIES * 500;
  const since = end - Math.min(ENTRIES, 172_800) * 500;
  await timed("audit query --user --since 24h", () => ask(index, { user: "user-7", since }));
  await timed("audit query --user --operation", () => ask(index, { user: "user-4", operation: "decrypt_metadata" }));
  const operation = { operation: "get_agent_manifest", limit: 100, isNewest: true };
  await timed("audit query --operation: the newest 100", () => ask(index, operation));
  await timed("audit query --operation, a word: the newest 100", () => ask(index, { ...operation, operation: "read" }));
  await timed(
    "audit query --operation --since 1h",
    () => ask(index, { ...operation, limit: 1e6, since: end - 3_600_000 }),
  );
  await timed("audit query --operation that nobody did", () => ask(index, { operation: "rewrap" }));
  const all = await timed("audit query --user: all", () => ask(index, { user: "user-7" }));
  if (all !== ENTRIES / USERS) throw new Error(`${all} entries were found`);
  await index.close();
  if (ENTRIES <= MAX_CHAINED) {
    const keys = [{ firstSequence: 1, key: KEY }];
    const files = await trailFiles(path);
    const report = await timed("audit verify --key", () => verifyTrail(files, { keys }));
    if (report.broken !== null || report.lines !== ENTRIES) throw new Error("The trail is broken");
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
