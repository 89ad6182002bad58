/**
 * The audit trail: the one place where entries become lines.
 *
 * Two ways lead in. A request that changed nothing is recorded when it ends, and its answer leaves when the line has passed
 * `write(2)`. A change takes its entry along into the store's transaction: {@link AuditTrail.prepare} gives the writes for
 * it, and the line goes to the file once the commit is through. As a line carries the hash of the one before it, whatever
 * ends during a commit waits for its outcome: a commit that fails leaves no gap.
 *
 * Lines that a power cut could still take from the file go into the store with the next change, so that the file can
 * always be completed without a gap (`recovery.ts`).
 *
 * @module
 */

import type { Clock, RandomSource } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Chain, ChainPosition } from "./chain.ts";
import { type Effect, effectsOf } from "./effects.ts";
import { ALLOWED, encodeEntries, encodeEntry, type EntryOutcome, MAX_EFFECTS } from "./encoding.ts";
import { LineSink, type LineSinkParts, type Mended } from "./line_sink.ts";
import { AuditedRequest, ownRequest, type RequestBeginning } from "./request.ts";

/** What the trail is made of. */
export interface TrailParts extends LineSinkParts {
  readonly chain: Chain;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** Who makes which part of a change. */
export interface ChangeBy {
  readonly request: AuditedRequest | undefined;
  readonly writes: readonly Write[];
  /** The request goes on to change more: its entry waits for the end. */
  readonly isPreliminary?: boolean | undefined;
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
  /** Requests that wait for a commit before their line can be written. */
  readonly queued: number;
}

/** What a start found in the store and has put into the file since. */
export interface LeftOver {
  readonly outbox: readonly number[];
  readonly opens: readonly string[];
}

const HEAD_DELAY_MS = 1000;
/** With more of them the list is gone through for those that the disk has. */
const FEW_VOLATILE = 4096;

/** Records who did what. */
export class AuditTrail {
  readonly #in: TrailParts;
  readonly #sink: LineSink;
  /** Lines that a power cut could take from the file: the last ones that were written, without a gap. */
  #volatile: string[] = [];
  #volatileLimit = FEW_VOLATILE;
  /** Rows of the store that can go once the file has their lines for good. */
  #outbox: number[];
  /** Requests whose open row can go with the next commit. */
  #closedOpens: string[];
  #isCommitting = false;
  #waiting: string[] = [];
  #release: PromiseWithResolvers<void> | undefined;
  #refused = 0;
  #headTimer: ReturnType<typeof setTimeout> | undefined;
  #storedHead: number;
  #storeHead: (() => Promise<void>) | undefined;

  constructor(parts: TrailParts, left: LeftOver) {
    this.#in = parts;
    this.#sink = new LineSink(parts, parts.chain.position, (mended) => this.#noteMended(mended));
    this.#storedHead = parts.chain.position.sequence;
    this.#outbox = [...left.outbox];
    this.#closedOpens = [...left.opens];
  }

  /** How it is doing. */
  status(): TrailStatus {
    const { position, trouble, behind } = this.#sink;
    return {
      sequence: position.sequence,
      hash: position.hash,
      fileTrouble: trouble,
      mirrorTrouble: this.#in.mirror?.trouble() ?? null,
      isRefusing: !this.#sink.isWorking,
      behind,
      refused: this.#refused,
      queued: this.#waiting.length,
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
    if (request.open !== undefined) this.#closedOpens.push(request.id);
    return this.#record(encodeEntries(request, outcome, this.#in.clock));
  }

  /** Records something that changed nothing and that nobody asked for. */
  note(operation: string, resource: Readonly<Record<string, unknown>>): void | Promise<void> {
    const request = ownRequest(operation);
    request.resource = resource;
    return this.finish(request, { ...ALLOWED, id: this.#newId() });
  }

  /** Records what a request did that never ended, as the store remembers it. */
  noteInterrupted(entry: string): void | Promise<void> {
    return this.#record(entry.split("\n"));
  }

  /**
   * The entries of a change, in the writer's turn.
   *
   * @param change The number that the store will give it.
   * @throws {VaultError} `audit_unavailable`; then the change must not be made.
   */
  prepare(by: readonly ChangeBy[], change: number, state: VaultState): PreparedEntries {
    this.#sink.assertWorking();
    const before = this.#in.chain.position;
    const draft: Draft = { lines: [], opens: [], done: [] };
    for (const { request, writes, isPreliminary } of by) {
      const effects = effectsOf(writes, state);
      // What is nothing but bookkeeping belongs to no entry.
      if (effects.length === 0) continue;
      if (request === undefined || request.face === "vault" || request.isDone) {
        draft.lines.push(...this.#linesOf(request?.face === "vault" ? request : laterThan(request), effects, change));
      } else if (isPreliminary || request.goesOn) {
        this.#draftOpen(draft, request, { change, effects: [...request.open?.effects ?? [], ...effects] }, before);
      } else {
        nameWhoCameIn(request, effects, writes, state);
        this.#draftEntry(draft, request, effects, change);
      }
    }
    return this.#prepared(draft, before);
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
    if (this.#sink.position.sequence > this.#storedHead) await this.#storeHead?.();
  }

  #newId(): string {
    return this.#in.random.bytes(16).toHex();
  }

  #draftOpen(draft: Draft, request: AuditedRequest, open: OpenChange, { sequence: after }: ChainPosition): void {
    const entry = encodeEntries(request, { decision: "interrupted", ...open }, this.#in.clock).join("\n");
    draft.opens.push({ kind: "audit_open", key: request.id, value: { entry, after } });
    draft.done.push(() => void (request.open = open));
  }

  #draftEntry(draft: Draft, request: AuditedRequest, effects: readonly Effect[], change: number): void {
    const first = this.#in.chain.position.sequence + 1;
    draft.lines.push(...this.#linesOf(request, [...request.open?.effects ?? [], ...effects], change));
    draft.done.push(() => {
      request.committed = first;
      if (request.open !== undefined) this.#closedOpens.push(request.id);
      request.open = undefined;
    });
  }

  /** The lines of one entry, and more where it has too many effects for one. */
  #linesOf(request: AuditedRequest, effects: readonly Effect[], change: number): string[] {
    const id = request.face === "vault" ? this.#newId() : request.id;
    const lines: string[] = [];
    let continues = request.committed;
    for (let from = 0; from === 0 || from < effects.length; from += MAX_EFFECTS) {
      const outcome = { ...ALLOWED, change, effects: effects.slice(from, from + MAX_EFFECTS), continues, id };
      lines.push(`${this.#in.chain.append(encodeEntry(request, outcome, this.#in.clock))}\n`);
      continues = this.#in.chain.position.sequence;
    }
    return lines;
  }

  #prepared({ lines, opens, done }: Draft, before: ChainPosition): PreparedEntries {
    const position = this.#in.chain.position;
    const { sequence, hash } = position;
    const kept = [...this.#volatileNow(), ...lines];
    const isGone = new Set(this.#outbox.filter((last) => last <= this.#sink.synced));
    const closed = this.#closedOpens.splice(0);
    // A commit that takes no place in the chain has nobody wait for it.
    const takesPlace = lines.length > 0;
    this.#isCommitting = takesPlace;
    return {
      writes: [
        ...[...isGone].map((last): Write => ({ kind: "audit_outbox", key: outboxKey(last) })),
        ...closed.map((key): Write => ({ kind: "audit_open", key })),
        ...opens,
        ...(kept.length === 0 ? [] : [outboxRow(sequence, kept)]),
        { kind: "audit_head", key: "head", value: { sequence, hash } },
      ],
      committed: () => {
        this.#storedHead = sequence;
        this.#outbox = [...this.#outbox.filter((last) => !isGone.has(last)), ...(kept.length === 0 ? [] : [sequence])];
        const newer = this.#sink.position.sequence - sequence;
        this.#volatile = newer > 0 ? this.#volatile.slice(-newer) : [];
        for (const step of done) step();
        this.#sink.complete(lines, position);
        this.#goOn();
      },
      abandoned: () => {
        this.#closedOpens.push(...closed);
        if (takesPlace) this.#in.chain.rewind(before);
        this.#goOn();
      },
    };
  }

  /** Those of the volatile lines that the disk hasn't got meanwhile. */
  #volatileNow(): string[] {
    const { position, synced } = this.#sink;
    const count = Math.min(this.#volatile.length, Math.max(0, position.sequence - synced));
    return this.#volatile = count === 0 ? [] : this.#volatile.slice(-count);
  }

  /** Writes lines, or has them wait for the commit that is under way. */
  #record(entries: readonly string[]): void | Promise<void> {
    if (this.#isCommitting) {
      this.#waiting.push(...entries);
      return (this.#release ??= Promise.withResolvers()).promise;
    }
    this.#write(entries);
  }

  /** What waited for a commit is written together. */
  #goOn(): void {
    this.#isCommitting = false;
    const release = this.#release;
    if (release === undefined) return;
    this.#release = undefined;
    try {
      this.#write(this.#waiting.splice(0));
      release.resolve();
    } catch (error) {
      release.reject(error);
    }
  }

  #write(entries: readonly string[]): void {
    const { chain } = this.#in;
    const before = chain.position;
    const lines = entries.map((entry) => `${chain.append(entry)}\n`);
    try {
      this.#sink.write(lines, chain.position);
    } catch (error) {
      chain.rewind(before);
      this.#refused += entries.length;
      throw error;
    }
    this.#volatile.push(...lines);
    if (this.#volatile.length >= this.#volatileLimit) {
      this.#volatileLimit = Math.max(FEW_VOLATILE, 2 * this.#volatileNow().length);
    }
    // The store says by itself what it can't do; the next line asks for it again.
    this.#headTimer ??= setTimeout(() => void this.saveHead().catch(() => {}), HEAD_DELAY_MS);
  }

  #noteMended({ reason, lines, lost }: Mended): void {
    const noted = () => this.note("audit_file_mended", { reason, lines, ...(lost === 0 ? {} : { lost }) });
    // A failure shows at the file, which then is broken again and says so by itself.
    Promise.resolve().then(noted).catch(() => {});
  }
}

/** The vault, doing what a request that was answered left to be done. */
function laterThan(request: AuditedRequest | undefined): AuditedRequest {
  const own = ownRequest(request === undefined ? "change" : `after ${request.operation}`);
  own.user = request?.user;
  own.entityId = request?.entityId;
  if (request !== undefined) own.resource = { request_id: request.id };
  return own;
}

/** A login has no caller: it is known by the token that it made. */
function nameWhoCameIn(
  request: AuditedRequest,
  effects: readonly Effect[],
  writes: readonly Write[],
  state: VaultState,
): void {
  if (request.accessor !== undefined) return;
  const made = effects.find(({ kind, act }) => kind === "service_token" && act === "made");
  if (made === undefined) return;
  request.accessor = made.id;
  request.entityId = made.entity_id;
  const isNew = writes.find(({ kind, key }) => kind === "user" && key === made.entity_id);
  const record = state.users.get(made.entity_id ?? "")?.record ?? isNew?.value as UserRecord | undefined;
  request.user = record?.name ?? request.user;
}

interface OpenChange {
  readonly change: number;
  readonly effects: Effect[];
}

/** What a change is to be recorded as. */
interface Draft {
  readonly lines: string[];
  readonly opens: Write[];
  readonly done: (() => void)[];
}

function outboxRow(sequence: number, lines: readonly string[]): Write {
  return { kind: "audit_outbox", key: outboxKey(sequence), value: { lines: lines.join("") } };
}

/** Keys sort as the numbers do. */
export function outboxKey(sequence: number): string {
  return String(sequence).padStart(16, "0");
}

/** What the faces use of a trail. */
export type Audit = Pick<AuditTrail, "begin" | "finish">;

/** In place of a trail that is switched off. */
export const UNRECORDED: Audit = { begin: (beginning) => new AuditedRequest(beginning), finish: () => {} };
