/**
 * The entries of a change that is about to be committed, chained but written nowhere.
 *
 * @module
 */

import type { Clock } from "../ports.ts";
import type { VaultState } from "../state.ts";
import type { UserRecord } from "../storage/records.ts";
import type { Write } from "../storage/store.ts";
import type { Chain } from "./chain.ts";
import { type Effect, effectsOf } from "./effects.ts";
import { ALLOWED, encodeEntries, encodeEntry, MAX_EFFECTS } from "./encoding.ts";
import { type AuditedRequest, ownRequest } from "./request.ts";

/** Who makes which part of a change. */
export interface ChangeBy {
  readonly request: AuditedRequest | undefined;
  readonly writes: readonly Write[];
  /** The request goes on to change more: its entry waits for the end. */
  readonly isPreliminary?: boolean | undefined;
}

/** What entries are made with. */
export interface DraftParts {
  readonly chain: Chain;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Told of a request that no longer goes on. */
  readonly onClosed: (requestId: string) => void;
}

/** What a change is to be recorded as. */
export class ChangeDraft {
  /** Each with its line break. */
  readonly lines: string[] = [];
  /** What requests that go on have changed so far. */
  readonly opens: Write[] = [];
  readonly #in: DraftParts;
  readonly #change: number;
  readonly #after: number;
  readonly #steps: (() => void)[] = [];

  /** @param change The number that the store will give it. */
  constructor(parts: DraftParts, change: number) {
    this.#in = parts;
    this.#change = change;
    this.#after = parts.chain.sequence;
  }

  /** Adds one part of the change. What is nothing but bookkeeping belongs to no entry. */
  add({ request, writes, isPreliminary }: ChangeBy, state: VaultState): void {
    const effects = effectsOf(writes, state);
    if (effects.length === 0) return;
    if (request === undefined || request.face === "vault" || request.isDone) {
      this.#addLines(request?.face === "vault" ? request : laterThan(request), effects);
    } else if (isPreliminary || request.goesOn) {
      this.#addOpen(request, [...request.open?.effects ?? [], ...effects]);
    } else {
      nameWhoCameIn(request, effects, writes, state);
      this.#addEntry(request, effects);
    }
  }

  /** The change was committed: its requests know that they are recorded. */
  committed(): void {
    for (const step of this.#steps) step();
  }

  #addOpen(request: AuditedRequest, effects: Effect[]): void {
    const open = { change: this.#change, effects };
    const entry = encodeEntries(request, { decision: "interrupted", ...open }, this.#in.clock).join("\n");
    this.opens.push({ kind: "audit_open", key: request.id, value: { entry, after: this.#after } });
    this.#steps.push(() => void (request.open = open));
  }

  #addEntry(request: AuditedRequest, effects: readonly Effect[]): void {
    const first = this.#in.chain.sequence + 1;
    this.#addLines(request, [...request.open?.effects ?? [], ...effects]);
    this.#steps.push(() => {
      request.committed = first;
      if (request.open !== undefined) this.#in.onClosed(request.id);
      request.open = undefined;
    });
  }

  /** The lines of one entry, and more where it has too many effects for one. */
  #addLines(request: AuditedRequest, effects: readonly Effect[]): void {
    const { chain, clock, newId } = this.#in;
    const id = request.face === "vault" ? newId() : request.id;
    let continues = request.committed;
    for (let from = 0; from === 0 || from < effects.length; from += MAX_EFFECTS) {
      const part = effects.slice(from, from + MAX_EFFECTS);
      const outcome = { ...ALLOWED, change: this.#change, effects: part, continues, id };
      this.lines.push(`${chain.append(encodeEntry(request, outcome, clock))}\n`);
      continues = chain.sequence;
    }
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
