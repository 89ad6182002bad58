/**
 * Users: the entities that tokens belong to. A user outlives their tokens.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { quoteName } from "../names.ts";
import type { User, VaultState } from "../state.ts";
import type { CutOffRecord, UserRecord } from "../storage/records.ts";
import type { TokenService, TokenSummary } from "../tokens/token_service.ts";
import type { Plan, Writer } from "../writer.ts";

/** What may be told of a user. */
export interface UserSummary {
  readonly name: string;
  readonly entityId: string;
  readonly disabled: boolean;
  /** When and why they were cut off; null: they aren't. */
  readonly cutOff: CutOffRecord | null;
  readonly createdAt: number;
  readonly epoch: number;
  readonly token: TokenSummary | null;
  /** When a data key of theirs first left the vault; null: none ever did. */
  readonly agentKeyLeftAt: number | null;
  /** When the shared index key first left to them. */
  readonly indexKeyLeftAt: number | null;
  /** Score rows they ever received. */
  readonly scoreRows: number;
}

/**
 * Score rows from which on a user must be taken to know the FHE secret key: chosen ciphertexts give it away in 28 calls
 * of ten rows, and no limit on calls or rows is a bound (docs/fhe.md).
 */
const KEY_REVEALING_ROWS = 250;

/** What ending a user's access can't take back, each with its remedy. */
export function warningsOf({ scoreRows }: Pick<UserSummary, "scoreRows">): string[] {
  if (!revealsKey(scoreRows)) return [];
  return [`${scoreRows} score rows left to them: ${FHE_KEY_KNOWN}`];
}

/** What an operator is told of a user with more than {@link KEY_REVEALING_ROWS} rows. */
export const FHE_KEY_KNOWN = "the FHE key must be taken as known to them: runevault keys rotate";

/** Whether so many rows can have given the FHE key away. */
export function revealsKey(scoreRows: number): boolean {
  return scoreRows > KEY_REVEALING_ROWS;
}

/** Which key left the vault to a user. */
export type LeavingKey = "agentKeyLeftAt" | "indexKeyLeftAt";

/** Score rows that are to be counted in one change. */
interface WaitingRows {
  rows: number;
  readonly counted: Promise<void>;
}

/** Everything an operator does with users. */
export class UserService {
  readonly #state: VaultState;
  readonly #writer: Writer;
  readonly #tokens: TokenService;
  readonly #waitingRows = new Map<User, WaitingRows>();

  constructor(state: VaultState, writer: Writer, tokens: TokenService) {
    this.#state = state;
    this.#writer = writer;
    this.#tokens = tokens;
  }

  /** Users in the order of their creation, after the one named `page.after`. */
  *list(page: { after?: string; limit?: number } = {}): Iterable<UserSummary> {
    const from = page.after === undefined ? 0 : this.#user(page.after).index + 1;
    const users = this.#state.userList;
    let left = page.limit ?? Infinity;
    for (let i = from; i < users.length && left > 0; i++) {
      if (users.at(i).record.deletedAt !== undefined) continue;
      left--;
      yield this.#summary(users.at(i));
    }
  }

  /** One user; `not_found`. */
  show(name: string): UserSummary {
    return this.#summary(this.#user(name));
  }

  /** Refuses every credential of the user from now on, until {@link enable}. */
  disable(name: string): Promise<UserSummary> {
    return this.#change(name, (record) => ({ ...record, disabled: true }));
  }

  /** Lifts {@link disable}; what was revoked stays revoked. `precondition_failed` for a user who was cut off. */
  enable(name: string): Promise<UserSummary> {
    return this.#change(name, (record) => {
      if (record.cutOff === undefined) return { ...record, disabled: false };
      throw new VaultError("precondition_failed", `User ${quoteName(name)} was cut off`, {
        hint: `run \`runevault user restore ${name}\` to undo that`,
      });
    });
  }

  /** Records, before it happens, that keys leave the vault to a user for the first time. */
  recordLeavingKeys(user: User, keys: readonly LeavingKey[], now: number): Promise<UserSummary> {
    const first = Object.fromEntries(keys.map((key) => [key, now]));
    return this.#change(user.record.name, (record) => ({ ...first, ...record }));
  }

  /**
   * Counts score rows, before they leave. Answers of one user that wait for the writer together share one commit.
   *
   * @throws {VaultError} `storage_failed`; then no row may leave.
   */
  addScoreRows(user: User, rows: number): Promise<void> {
    const waiting = this.#waitingRows.get(user);
    if (waiting !== undefined) {
      waiting.rows += rows;
      return waiting.counted;
    }
    const mine: WaitingRows = { rows, counted: this.#writer.change(() => this.#countRows(user, mine)) };
    this.#waitingRows.set(user, mine);
    return mine.counted;
  }

  /** In the writer's turn: rows that come from here on wait for the next. */
  #countRows(user: User, { rows }: WaitingRows): Plan<void> {
    this.#waitingRows.delete(user);
    const value = { ...user.record, scoreRows: (user.record.scoreRows ?? 0) + rows };
    return { writes: [{ kind: "user", key: value.entityId, value }], result: () => {} };
  }

  #change(name: string, change: (record: UserRecord) => UserRecord): Promise<UserSummary> {
    return this.#writer.change(() => {
      const user = this.#user(name);
      const value = change(user.record);
      return { writes: [{ kind: "user", key: value.entityId, value }], result: () => this.#summary(user) };
    });
  }

  #user(name: string): User {
    const user = this.#state.userByName(name);
    if (user !== undefined) return user;
    throw new VaultError("not_found", `No user ${quoteName(name)}`, { hint: "see `runevault user list`" });
  }

  #summary(user: User): UserSummary {
    const { name, entityId, disabled, createdAt, epoch, agentKeyLeftAt, indexKeyLeftAt, scoreRows } = user.record;
    return {
      name,
      entityId,
      disabled,
      cutOff: user.record.cutOff ?? null,
      createdAt,
      epoch,
      token: this.#tokens.find(user),
      agentKeyLeftAt: agentKeyLeftAt ?? null,
      indexKeyLeftAt: indexKeyLeftAt ?? null,
      scoreRows: scoreRows ?? 0,
    };
  }
}
