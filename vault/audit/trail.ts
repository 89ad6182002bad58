/**
 * The audit trail: the one place where entries become lines.
 *
 * Two ways lead in. A request that changed nothing is recorded when it ends, and its answer leaves when the line has passed
 * `write(2)`, which calls over gRPC that end in the same turn of the event loop share. A change takes its entry along into the
 * store's transaction: {@link AuditTrail.prepare} gives the writes for it, and the line goes to the file once the commit is
 * through. As a line carries the hash of the one before it, whatever ends during a commit waits for its outcome: a commit
 * that fails leaves no gap.
 *
 * Lines that a power cut could still take from the file go into the store with the next change, so that the file can
 * always be completed without a gap (`recovery.ts`).
 *
 * @module
 */

import type { Clock, RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { Write } from "../storage/store.ts";
import { type ChangeBy, ChangeDraft, type DraftParts } from "./change_draft.ts";
import { ALLOWED, encodeEntries, type EntryOutcome } from "./encoding.ts";
import { EntryQueue } from "./entry_queue.ts";
import { LineSink } from "./line_sink.ts";
import { AuditedRequest, ownRequest, type RequestBeginning } from "./request.ts";
import type { LineSinkParts, Mended } from "./sink_parts.ts";
import { type LeftOver, TrailRows } from "./trail_rows.ts";

/** What the trail is made of. */
export interface TrailParts extends LineSinkParts {
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** The entries of a change that is about to be committed. */
export interface PreparedEntries {
  /** To be committed with the change. */
  readonly writes: readonly Write[];
  /** The commit is through. */
  committed(): void;
  /** Nothing was committed. */
  abandoned(): void;
}

/** How the trail is doing. */
export interface TrailStatus {
  readonly sequence: number;
  /** SHA-256 of the last line, hex. */
  readonly hash: string;
  /** Why the file can't be written; null: it can. */
  readonly fileTrouble: string | null;
  /** Why the second place takes no lines; null: it does, or there is none. */
  readonly mirrorTrouble: string | null;
  /** Whether nothing takes lines, so that every request is refused. */
  readonly isRefusing: boolean;
  /** Lines that the file lacks. */
  readonly behind: number;
  /** Requests that were refused because they could not be recorded. */
  readonly refused: number;
  /** Entries that wait for a commit before they can be written. */
  readonly queued: number;
}

const HEAD_DELAY_MS = 1000;

/** Records who did what. */
export class AuditTrail {
  readonly #in: TrailParts;
  readonly #sink: LineSink;
  readonly #queue = new EntryQueue((entries) => this.#write(entries));
  readonly #rows: TrailRows;
  readonly #drafting: DraftParts;
  #refused = 0;
  #headTimer: ReturnType<typeof setTimeout> | undefined;
  #storeHead: (() => Promise<void>) | undefined;

  constructor(parts: TrailParts, left: LeftOver) {
    this.#in = parts;
    this.#sink = new LineSink(parts, (mended) => this.#noteMended(mended));
    this.#rows = new TrailRows(left, parts.chain.standing);
    const { chain, clock } = parts;
    this.#drafting = { chain, clock, newId: () => this.#newId(), onClosed: (id) => this.#rows.close(id) };
  }

  /** How it is doing. */
  status(): TrailStatus {
    const { end, trouble, behind } = this.#sink;
    return {
      ...end,
      fileTrouble: trouble,
      mirrorTrouble: this.#in.mirror?.trouble() ?? null,
      isRefusing: !this.#sink.isWorking,
      behind,
      refused: this.#refused,
      queued: this.#queue.held,
    };
  }

  /** Has `store` commit an empty change from time to time, so that the store knows the head when reads alone move it. */
  keepHeadWith(store: () => Promise<void>): void {
    this.#storeHead = store;
  }

  /**
   * A request begins.
   *
   * @throws {VaultError} `audit_unavailable` where it could not be recorded: then nothing of it may be done.
   */
  begin(beginning: RequestBeginning): AuditedRequest {
    try {
      this.#sink.assertWorking();
    } catch (error) {
      this.#refused++;
      throw error;
    }
    return new AuditedRequest(beginning);
  }

  /**
   * A request ends. It adds nothing where its entry went with a change and it ended well.
   *
   * @returns Nothing where the line is written; else a promise, which rejects as this throws.
   * @throws {VaultError} `audit_unavailable`: the answer must not leave.
   */
  finish(request: AuditedRequest, outcome: EntryOutcome): void | Promise<void> {
    request.isDone = true;
    if (request.committed !== undefined && request.open === undefined && outcome.decision === "allowed") return;
    if (request.open !== undefined) this.#rows.close(request.id);
    const entries = encodeEntries(request, outcome, this.#in.clock);
    // Over HTTP/2 most of the calls in flight end in one turn, over HTTP/1 hardly more than one request.
    return request.face === "grpc" ? this.#queue.add(entries) : this.#queue.addNow(entries);
  }

  /** Records something that changed nothing and that nobody asked for. */
  async note(operation: string, resource: Readonly<Record<string, unknown>>): Promise<void> {
    const request = ownRequest(operation);
    request.resource = resource;
    await this.#queue.add(encodeEntries(request, { ...ALLOWED, id: this.#newId() }, this.#in.clock));
  }

  /** Records what a request did that never ended, as the store remembers it. */
  noteInterrupted(entry: string): void | Promise<void> {
    return this.#queue.add(entry.split("\n"));
  }

  /**
   * The entries of a change, in the writer's turn.
   *
   * @param change The number that the store will give it.
   * @throws {VaultError} `audit_unavailable`; then the change must not be made.
   */
  prepare(by: readonly ChangeBy[], change: number, state: VaultState): PreparedEntries {
    this.#queue.flush();
    this.#sink.assertWorking();
    const draft = new ChangeDraft(this.#drafting, change);
    try {
      for (const part of by) draft.add(part, state);
    } catch (error) {
      this.#in.chain.rewind();
      throw error;
    }
    return this.#prepared(draft);
  }

  /** Tells `listener` of every line that stands from now on, until the returned function is called. */
  onLines(listener: (lines: readonly string[]) => void): () => void {
    return this.#sink.onLines(listener);
  }

  /** Opens the file again, as whoever rotates logs has moved it away. */
  reopen(): void {
    this.#sink.reopen();
  }

  /** Writes the last line, makes it durable, and lets go of the file. */
  async close(): Promise<void> {
    clearTimeout(this.#headTimer);
    this.#queue.flush();
    await this.#sink.close();
  }

  /** Lets go of the file as it is: for a vault that could not be opened. */
  async abandon(): Promise<void> {
    clearTimeout(this.#headTimer);
    await this.#sink.abandon();
  }

  /** Commits the head, if the store doesn't know it. */
  async saveHead(): Promise<void> {
    clearTimeout(this.#headTimer);
    this.#headTimer = undefined;
    if (this.#in.chain.standing > this.#rows.head) await this.#storeHead?.();
  }

  #newId(): string {
    return this.#in.random.bytes(16).toHex();
  }

  #prepared(draft: ChangeDraft): PreparedEntries {
    const { chain } = this.#in;
    const { end } = chain;
    const { volatile } = this.#sink;
    const rows = this.#rows.next(end, volatile.text + draft.lines.join(""), this.#sink.synced);
    const { end: volatileEnd } = volatile;
    // A commit that takes no place in the chain has nobody wait for it.
    const takesPlace = draft.lines.length > 0;
    if (takesPlace) this.#queue.hold();
    return {
      writes: [...rows.writes, ...draft.opens],
      committed: () => {
        rows.committed();
        volatile.forgetUpTo(volatileEnd);
        draft.committed();
        this.#sink.complete(draft.lines);
        this.#queue.release();
      },
      abandoned: () => {
        rows.abandoned();
        if (takesPlace) chain.rewind();
        this.#queue.release();
      },
    };
  }

  #write(entries: readonly string[]): void {
    try {
      this.#sink.write(entries);
    } catch (error) {
      this.#refused += entries.length;
      throw error;
    }
    this.#headTimer ??= setTimeout(() => void this.#saveHeadLater(), HEAD_DELAY_MS);
  }

  /** Lines that the disk has needn't go into the store along with the head. */
  async #saveHeadLater(): Promise<void> {
    await this.#sink.sync();
    // The store says by itself what it can't do; the next line asks for it again.
    await this.saveHead().catch(() => {});
  }

  #noteMended({ reason, lines, lost }: Mended): void {
    // A failure shows at the file, which then is broken again and says so by itself.
    this.note("audit_file_mended", { reason, lines, ...(lost === 0 ? {} : { lost }) }).catch(() => {});
    // Nothing may be let in before that is known.
    this.#queue.flush();
  }
}

/** What the faces use of a trail. */
export type Audit = Pick<AuditTrail, "begin" | "finish">;

/** In place of a trail that is switched off. */
export const UNRECORDED: Audit = { begin: (beginning) => new AuditedRequest(beginning), finish: () => {} };
