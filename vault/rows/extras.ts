/**
 * What few records have besides the columns that all do: kept as it came, by row.
 *
 * @module
 */

/** The members of sparse records that no column holds. */
export class Extras {
  readonly #columns: ReadonlySet<string>;
  readonly #byRow = new Map<number, Record<string, unknown>>();

  /** @param columns The members that columns hold. */
  constructor(columns: readonly string[]) {
    this.#columns = new Set(columns);
  }

  /** What a row has besides its columns, if anything. */
  get(row: number): Readonly<Record<string, unknown>> | undefined {
    return this.#byRow.get(row);
  }

  /** Keeps what of a record no column holds, in place of what was kept. */
  set(row: number, record: object): void {
    let extra: Record<string, unknown> | undefined;
    for (const name in record) {
      const value = (record as Record<string, unknown>)[name];
      if (value === undefined || this.#columns.has(name)) continue;
      (extra ??= {})[name] = value;
    }
    if (extra !== undefined) this.#byRow.set(row, extra);
    else if (this.#byRow.size > 0) this.#byRow.delete(row);
  }
}
