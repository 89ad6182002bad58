/**
 * User tokens, live and dead, a row of some 80 bytes each.
 *
 * @module
 */

import type { TokenEnd, UserTokenRecord } from "../storage/records.ts";
import { bytes, integers, optionalNumbers } from "./columns.ts";
import { Extras } from "./extras.ts";
import { byteAt, isHex, mixed } from "./hex.ts";
import { RowIndex } from "./row_index.ts";
import type { User, UserRows } from "./user_rows.ts";

/** What columns hold; everything else of a record is an extra. */
const COLUMNS = [
  "tokenHash",
  "entityId",
  "epoch",
  "role",
  "secretVersion",
  "issuedAt",
  "expiresAt",
  "ended",
  "endedAt",
];
const ENDS: readonly (TokenEnd | undefined)[] = [undefined, "revoked", "rotated", "expired"];
const NONE = -1;
/** SHA-256. */
const HASH_BYTES = 32;
/** Of the first of them, in hex, an agent id is made. */
const AGENT_ID_BYTES = 16;

/** A user token with its owner, as it is at any moment: what changes later shows in it. */
export class UserToken {
  readonly row: number;
  readonly #rows: TokenRows;
  #record: UserTokenRecord | undefined;
  #change = 0;

  constructor(rows: TokenRows, row: number) {
    this.#rows = rows;
    this.row = row;
  }

  get record(): UserTokenRecord {
    const change = this.#rows.changeOf(this.row);
    if (this.#record === undefined || this.#change !== change) {
      this.#record = this.#rows.record(this.row);
      this.#change = change;
    }
    return this.#record;
  }

  get user(): User {
    return this.#rows.userOf(this.row);
  }
}

/** Every token ever issued, live or dead, by agent id. */
export class TokenRows {
  readonly #users: UserRows;
  readonly #hashes = bytes(HASH_BYTES);
  readonly #owners = integers();
  readonly #epochs = integers();
  readonly #roles = integers();
  readonly #secretVersions = integers();
  readonly #issuedAt = optionalNumbers();
  readonly #expiresAt = optionalNumbers();
  readonly #endedAt = optionalNumbers();
  readonly #ends = bytes();
  readonly #changes = integers();
  readonly #extras = new Extras(COLUMNS);
  readonly #roleNames: string[] = [];
  readonly #roleNumbers = new Map<string, number>();
  readonly #byAgentId = new RowIndex((row) => this.#hashOfRow(row));
  #size = 0;

  constructor(users: UserRows) {
    this.#users = users;
  }

  get size(): number {
    return this.#size;
  }

  get(agentId: string): UserToken | undefined {
    const row = this.rowOf(agentId);
    return row === NONE ? undefined : this.at(row);
  }

  has(agentId: string): boolean {
    return this.rowOf(agentId) !== NONE;
  }

  /** All, in the order in which they came in. */
  *values(): Generator<UserToken> {
    for (let row = 0; row < this.#size; row++) yield this.at(row);
  }

  *[Symbol.iterator](): Generator<[agentId: string, token: UserToken]> {
    for (let row = 0; row < this.#size; row++) yield [this.agentIdOf(row), this.at(row)];
  }

  at(row: number): UserToken {
    return new UserToken(this, row);
  }

  /** The row of an agent id; -1: none. */
  rowOf(agentId: string): number {
    return this.#byAgentId.find(hashOf(agentId), (row) => {
      return isHex(this.#hashes.chunkOf(row), this.#hashes.startOf(row), AGENT_ID_BYTES, agentId);
    });
  }

  /** Puts a record in place of the one with its hash, or as a new row; returns the row. */
  put(record: UserTokenRecord): number {
    const known = this.rowOf(record.tokenHash.slice(0, AGENT_ID_BYTES * 2));
    const row = known === NONE ? this.#append(record) : known;
    this.#epochs.set(row, record.epoch);
    this.#roles.set(row, this.#roleNumber(record.role));
    this.#secretVersions.set(row, record.secretVersion);
    this.#issuedAt.set(row, record.issuedAt ?? NaN);
    this.#expiresAt.set(row, record.expiresAt ?? NaN);
    this.#endedAt.set(row, record.endedAt ?? NaN);
    this.#ends.set(row, ENDS.indexOf(record.ended));
    this.#extras.set(row, record);
    this.#changes.set(row, this.#changes.get(row) + 1);
    return row;
  }

  /** A row's record as it is now. */
  record(row: number): UserTokenRecord {
    const record = {
      tokenHash: this.#hashes.part(row).toHex(),
      entityId: this.#users.idOf(this.#owners.get(row)),
      epoch: this.#epochs.get(row),
      role: this.roleOf(row),
      secretVersion: this.#secretVersions.get(row),
      issuedAt: orNull(this.#issuedAt.get(row)),
      expiresAt: orNull(this.#expiresAt.get(row)),
    };
    const endedAt = orNull(this.#endedAt.get(row));
    const ended = ENDS[this.#ends.get(row)];
    if (ended !== undefined) Object.assign(record, { ended });
    if (endedAt !== null) Object.assign(record, { endedAt });
    const extra = this.#extras.get(row);
    return extra === undefined ? record : { ...record, ...extra };
  }

  userOf(row: number): User {
    return this.#users.at(this.#owners.get(row));
  }

  /** The row of the owner. */
  ownerOf(row: number): number {
    return this.#owners.get(row);
  }

  roleOf(row: number): string {
    return this.#roleNames[this.#roles.get(row)]!;
  }

  /** When the newest token was issued; 0: nobody knows of any. */
  newestIssue(): number {
    let newest = 0;
    for (let row = 0; row < this.#size; row++) newest = Math.max(newest, orNull(this.#issuedAt.get(row)) ?? 0);
    return newest;
  }

  /** When a live token's time is over, be it by its expiry or its grace; Infinity: never. */
  endOf(row: number): number {
    if (this.#ends.get(row) !== 0) return Infinity;
    const graceUntil = this.#extras.get(row)?.["graceUntil"];
    return Math.min(
      orNull(this.#expiresAt.get(row)) ?? Infinity,
      typeof graceUntil === "number" ? graceUntil : Infinity,
    );
  }

  agentIdOf(row: number): string {
    return this.#hashes.part(row).subarray(0, AGENT_ID_BYTES).toHex();
  }

  /** Counts the changes of a row. */
  changeOf(row: number): number {
    return this.#changes.get(row);
  }

  #hashOfRow(row: number): number {
    const bytes = this.#hashes.chunkOf(row), start = this.#hashes.startOf(row);
    return mixed(bytes[start]!, bytes[start + 1]!, bytes[start + 2]!, bytes[start + 3]!);
  }

  #append({ tokenHash, entityId }: UserTokenRecord): number {
    const owner = this.#users.rowOf(entityId);
    if (owner === NONE) throw new TypeError("A token's owner is not there");
    const row = this.#size++;
    this.#hashes.setPart(row, Uint8Array.fromHex(tokenHash));
    this.#owners.set(row, owner);
    this.#byAgentId.add(row);
    return row;
  }

  #roleNumber(role: string): number {
    const known = this.#roleNumbers.get(role);
    if (known !== undefined) return known;
    const number = this.#roleNames.push(role) - 1;
    this.#roleNumbers.set(role, number);
    return number;
  }
}

/** An agent id is a piece of a hash already; what is none finds nothing. */
function hashOf(agentId: string): number {
  return mixed(byteAt(agentId, 0), byteAt(agentId, 2), byteAt(agentId, 4), byteAt(agentId, 6));
}

function orNull(value: number): number | null {
  return value === value ? value : null;
}
