/**
 * Entities, a row each. A million of them take some 130 MB, where as many objects took five times that.
 *
 * @module
 */

import type { UserRecord } from "../storage/records.ts";
import { bytes, integers, optionalNumbers } from "./columns.ts";
import { Extras } from "./extras.ts";
import { byteAt, isUuid, mixed, readUuid } from "./hex.ts";
import { hashText, RowIndex } from "./row_index.ts";
import type { TokenRows, UserToken } from "./token_rows.ts";

/** What columns hold; everything else of a record is an extra. */
const COLUMNS = ["entityId", "name", "epoch", "disabled", "createdAt", "agentKeyLeftAt", "indexKeyLeftAt", "scoreRows"];
const ID_BYTES = 16;
const UUID_CHARS = 36;
const NONE = -1;
/** Users who are kept as objects with their records read, by the end of their row's number. */
const HOT_USERS = 256;

/** A user, or an entity of the identity API, as it is at any moment: what changes later shows in it. */
export class User {
  /** Two objects with equal rows are one user. */
  readonly row: number;
  readonly #rows: UserRows;
  #record: UserRecord | undefined;
  #change = 0;

  constructor(rows: UserRows, row: number) {
    this.#rows = rows;
    this.row = row;
  }

  get record(): UserRecord {
    const change = this.#rows.changeOf(this.row);
    if (this.#record === undefined || this.#change !== change) {
      this.#record = this.#rows.record(this.row);
      this.#change = change;
    }
    return this.#record;
  }

  /** As in the record, without making one. */
  get disabled(): boolean {
    return this.#rows.isDisabled(this.row);
  }

  /** As in the record, without making one. */
  get epoch(): number {
    return this.#rows.epochOf(this.row);
  }

  /** The one user token that is current, if any; older ones may still live in their grace. */
  get token(): UserToken | null {
    return this.#rows.tokenOf(this.row);
  }

  /** Its place in the list of users; -1 while it is an entity of the identity API alone. */
  get index(): number {
    return this.#rows.placeOf(this.row);
  }
}

/** Every entity by its id, deleted ones included. */
export class UserRows {
  readonly #ids = bytes(ID_BYTES);
  readonly #readId = new Uint8Array(ID_BYTES);
  /** Ids that are no UUID: old ones, and those of tests. */
  readonly #oddIds = new Map<number, string>();
  readonly #names: string[] = [];
  readonly #epochs = integers();
  readonly #disabled = bytes();
  readonly #createdAt = optionalNumbers();
  readonly #agentKeyLeftAt = optionalNumbers();
  readonly #indexKeyLeftAt = optionalNumbers();
  /** One more than there are; 0: absent. */
  readonly #scoreRows = integers();
  readonly #extras = new Extras(COLUMNS);
  readonly #changes = integers();
  readonly #places = integers();
  readonly #currentTokens = integers();
  readonly #byId = new RowIndex((row) => this.#hashOfRow(row));
  readonly #hot: (User | undefined)[] = Array.from({ length: HOT_USERS });
  #tokens: TokenRows | undefined;

  /** The tokens that {@link User.token} finds. */
  join(tokens: TokenRows): void {
    this.#tokens = tokens;
  }

  get size(): number {
    return this.#names.length;
  }

  get(id: string): User | undefined {
    const row = this.rowOf(id);
    return row === NONE ? undefined : this.at(row);
  }

  has(id: string): boolean {
    return this.rowOf(id) !== NONE;
  }

  /** All, in the order of their making. */
  *values(): Generator<User> {
    for (let row = 0; row < this.size; row++) yield new User(this, row);
  }

  /** Whoever acts does so again, and each request looks for them several times. */
  at(row: number): User {
    const kept = this.#hot[row % HOT_USERS];
    return kept?.row === row ? kept : this.#hot[row % HOT_USERS] = new User(this, row);
  }

  /** The row of an id; -1: none. */
  rowOf(id: string): number {
    return this.#byId.find(hashOf(id), (row) => this.#hasId(row, id));
  }

  /** Puts a record in place of the one with its id, or as a new row; returns the row. */
  put(record: UserRecord): number {
    const known = this.rowOf(record.entityId);
    const row = known === NONE ? this.#append(record.entityId) : known;
    this.#names[row] = record.name;
    this.#epochs.set(row, record.epoch);
    this.#disabled.set(row, record.disabled ? 1 : 0);
    this.#createdAt.set(row, record.createdAt);
    this.#agentKeyLeftAt.set(row, record.agentKeyLeftAt ?? NaN);
    this.#indexKeyLeftAt.set(row, record.indexKeyLeftAt ?? NaN);
    this.#scoreRows.set(row, (record.scoreRows ?? -1) + 1);
    this.#extras.set(row, record);
    this.#changes.set(row, this.#changes.get(row) + 1);
    return row;
  }

  /** A row's record as it is now. */
  record(row: number): UserRecord {
    const record = {
      entityId: this.idOf(row),
      name: this.#names[row]!,
      epoch: this.#epochs.get(row),
      disabled: this.isDisabled(row),
      createdAt: this.#createdAt.get(row),
    };
    const [agentKey, indexKey] = [this.#agentKeyLeftAt.get(row), this.#indexKeyLeftAt.get(row)];
    const scoreRows = this.#scoreRows.get(row) - 1;
    if (agentKey === agentKey) Object.assign(record, { agentKeyLeftAt: agentKey });
    if (indexKey === indexKey) Object.assign(record, { indexKeyLeftAt: indexKey });
    if (scoreRows >= 0) Object.assign(record, { scoreRows });
    const extra = this.#extras.get(row);
    return extra === undefined ? record : { ...record, ...extra };
  }

  /** Whether a row's record has more than what all have. */
  hasExtras(row: number): boolean {
    return this.#extras.get(row) !== undefined;
  }

  idOf(row: number): string {
    const odd = this.#oddIds.size === 0 ? undefined : this.#oddIds.get(row);
    if (odd !== undefined) return odd;
    const hex = this.#ids.part(row).toHex();
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  nameOf(row: number): string {
    return this.#names[row]!;
  }

  /** The name as an entity, which may be another than the user's. */
  entityNameOf(row: number): string {
    const name = this.#extras.get(row)?.["entityName"];
    return typeof name === "string" ? name : this.#names[row]!;
  }

  isDisabled(row: number): boolean {
    return this.#disabled.get(row) === 1;
  }

  epochOf(row: number): number {
    return this.#epochs.get(row);
  }

  /** Counts the changes of a row. */
  changeOf(row: number): number {
    return this.#changes.get(row);
  }

  placeOf(row: number): number {
    return this.#places.get(row) - 1;
  }

  setPlace(row: number, place: number): void {
    this.#places.set(row, place + 1);
  }

  tokenOf(row: number): UserToken | null {
    const token = this.currentTokenOf(row);
    return token === NONE ? null : this.#tokens!.at(token);
  }

  /** The row of the current token; -1: none. */
  currentTokenOf(row: number): number {
    return this.#currentTokens.get(row) - 1;
  }

  setCurrentToken(row: number, token: number): void {
    this.#currentTokens.set(row, token + 1);
  }

  #hashOfRow(row: number): number {
    const odd = this.#oddIds.size === 0 ? undefined : this.#oddIds.get(row);
    if (odd !== undefined) return hashOf(odd);
    const bytes = this.#ids.chunkOf(row), end = this.#ids.startOf(row) + ID_BYTES;
    return mixed(bytes[end - 4]!, bytes[end - 3]!, bytes[end - 2]!, bytes[end - 1]!);
  }

  #hasId(row: number, id: string): boolean {
    const odd = this.#oddIds.size === 0 ? undefined : this.#oddIds.get(row);
    return odd === undefined ? isUuid(this.#ids.chunkOf(row), this.#ids.startOf(row), id) : odd === id;
  }

  #append(id: string): number {
    const row = this.#names.push("") - 1;
    if (readUuid(id, this.#readId)) this.#ids.setPart(row, this.#readId);
    else this.#oddIds.set(row, id);
    this.#byId.add(row);
    return row;
  }
}

/** The end of a UUID is drawn at random: it is a hash already. */
function hashOf(id: string): number {
  if (id.length !== UUID_CHARS) return hashText(id);
  return mixed(byteAt(id, 28), byteAt(id, 30), byteAt(id, 32), byteAt(id, 34));
}
