/**
 * What tests of the trail share: one in a folder of its own, on a store in memory.
 *
 * @module
 */

import { MemoryDisk, MemoryStore } from "../../tests/fakes/memory_store.ts";
import { FakeClock, MemoryLogger } from "../../tests/fakes/ports.ts";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { SealKey } from "../keys/seal_key.ts";
import { VaultState } from "../state.ts";
import { Writer } from "../writer.ts";
import { type AuditFace, parseLine, type StoredEntry } from "./entry.ts";
import { openTrail, type OpenTrailOptions } from "./recovery.ts";
import { AuditedRequest } from "./request.ts";
import type { AuditTrail } from "./trail.ts";

/** A trail with its folder, its store and a writer of changes. */
export class TestTrail {
  readonly disk = new MemoryDisk();
  readonly clock = new FakeClock(Date.UTC(2026, 2, 20, 10));
  readonly random = seededRandom("an audit trail");
  readonly logger = new MemoryLogger();
  store!: MemoryStore;
  state!: VaultState;
  writer!: Writer;
  trail!: AuditTrail;
  #ids = 0;

  constructor(readonly folder: string) {}

  get path(): string {
    return `${this.folder}/audit.log`;
  }

  /** Opens it as a start of the process does. */
  async open(more: Partial<OpenTrailOptions> = {}): Promise<void> {
    const store = this.store = new MemoryStore(this.disk);
    this.state = await VaultState.load(store);
    this.trail = await openTrail({
      store,
      sealKey: new SealKey(new Uint8Array(32).fill(7), this.random),
      clock: this.clock,
      random: this.random,
      logger: this.logger,
      path: this.path,
      keyPath: `${this.folder}/audit.key`,
      firstKeyPath: `${this.folder}/audit.k0`,
      ...more,
    });
    this.writer = new Writer(store, this.state, this.trail);
  }

  /** Stops as a process that is told to. */
  async close(): Promise<void> {
    await this.writer.settled();
    await this.trail.saveHead();
    await this.trail.close();
  }

  /** Stops as a process that is killed: what is in the page cache stays. */
  kill(): Promise<void> {
    return this.trail.abandon();
  }

  /** A request that begins now. */
  request(operation = "read x", face: AuditFace = "api"): AuditedRequest {
    const request = this.trail.begin({ id: `r${++this.#ids}`, face, startedAt: this.clock.monotonic() });
    request.operation = operation;
    return request;
  }

  /** Writes a role, in the name of whatever request this is a part of. */
  changeRole(name: string): Promise<void> {
    const value = { name, scope: [], topK: 1, rateLimit: { count: 1, seconds: 1 } } as const;
    return this.writer.change(() => ({ writes: [{ kind: "role", key: name, value }], result: () => {} }));
  }

  /** What stands in the file. */
  lines(): string[] {
    return Deno.readTextFileSync(this.path).split("\n").slice(0, -1);
  }

  entries(): StoredEntry[] {
    return this.lines().map(parseLine);
  }
}

/** Hands a test a trail, and cleans up whatever happens. */
export async function withTrail(
  use: (trail: TestTrail) => Promise<void>,
  more: Partial<OpenTrailOptions> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-audit-" });
  const trail = new TestTrail(folder);
  try {
    await trail.open(more);
    await use(trail);
  } finally {
    await trail.trail.abandon().catch(() => {});
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether lines are one chain from the first to the last. */
export function isChain(entries: readonly StoredEntry[], lines: readonly string[], hashOf: (line: string) => string) {
  return entries.every((entry, i) => i === 0 || (entry.prev === hashOf(lines[i - 1]!) && entry.seq === i + 1));
}
