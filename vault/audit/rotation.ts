/**
 * Rotation of the audit file: moved away when it is large or old, compressed, and removed when nobody needs it any more.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { KeptThread } from "../kept_thread.ts";
import type { Clock, Logger } from "../ports.ts";
import type { AuditFile } from "./audit_file.ts";
import type { Rotation } from "./sink_parts.ts";
import { formerName, isOwnFormer } from "./trail_files.ts";

/** When files go. */
export interface RotationSettings {
  /** Bytes from which a file is moved away. */
  readonly maxBytes: number;
  /** Milliseconds after its beginning at which it is; undefined: never. */
  readonly maxAgeMs: number | undefined;
  /** Milliseconds after which a former file is removed; undefined: never. */
  readonly keepMs: number | undefined;
  readonly compresses: boolean;
}

/** What the thread says of a file; without a failure it is packed. */
interface PackAnswer {
  readonly failure?: string;
}

/** How often former files are looked at. */
const LOOK_MS = 600_000;

/** Rotates the file at one path. */
export class FileRotation implements Rotation {
  readonly #path: string;
  readonly #settings: RotationSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #begunAt: number;
  #lookedAt = -Infinity;
  #work: Promise<void> = Promise.resolve();
  readonly #thread = new KeptThread<string, PackAnswer>(
    () => new Worker(new URL("./compress_worker.ts", import.meta.url).href, { type: "module" }),
  );

  constructor(path: string, settings: RotationSettings, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#settings = settings;
    this.#clock = clock;
    this.#logger = logger;
    this.#begunAt = birthOf(path) ?? clock.now();
  }

  moveAway(file: AuditFile, last: number): boolean {
    this.#lookAtFormer();
    const { maxBytes, maxAgeMs } = this.#settings;
    const isOld = maxAgeMs !== undefined && this.#clock.now() - this.#begunAt >= maxAgeMs;
    if (file.bytes === 0 || (file.bytes < maxBytes && !isOld)) return false;
    const former = `${dirname(this.#path)}/${formerName(basename(this.#path), last)}`;
    Deno.renameSync(this.#path, former);
    this.#begunAt = this.#clock.now();
    if (this.#settings.compresses) this.#inTurn(() => this.#compress(former));
    return true;
  }

  async close(): Promise<void> {
    await this.#work;
    this.#thread.end();
  }

  /** Compresses what a stop left as it was, and removes what is past its time. */
  #lookAtFormer(): void {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    this.#inTurn(async () => {
      for (const path of await this.#former()) {
        if (await this.#isPast(path)) await Deno.remove(path);
        else if (this.#settings.compresses && !path.endsWith(".gz")) await this.#compress(path);
      }
    });
  }

  async #former(): Promise<string[]> {
    const folder = dirname(this.#path);
    const names: string[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      if (isOwnFormer(name, basename(this.#path))) names.push(`${folder}/${name}`);
    }
    return names.sort();
  }

  async #isPast(path: string): Promise<boolean> {
    const { keepMs } = this.#settings;
    const { mtime } = await Deno.stat(path);
    return keepMs !== undefined && mtime !== null && this.#clock.now() - mtime.getTime() > keepMs;
  }

  /** Removes a file once the packed one is durable. */
  async #compress(path: string): Promise<void> {
    await this.#thread.do({
      request: path,
      take: (answer) => {
        if (answer.failure !== undefined) throw new Error(answer.failure);
        return true;
      },
      died: (reason) => new Error(reason),
    });
  }

  /** A file that can't be packed or removed stays as it is: nothing is lost by that. */
  #inTurn(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : "unknown failure";
      this.#logger.log("warn", "audit_rotation_failed", { path: this.#path, reason });
    });
  }
}

function birthOf(path: string): number | undefined {
  try {
    const { birthtime, mtime, size } = Deno.statSync(path);
    return size === 0 ? undefined : (birthtime ?? mtime)?.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
