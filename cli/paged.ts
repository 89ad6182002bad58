/**
 * Lists that may be very long, asked for page by page: no answer of the server is larger than a page, and what came is
 * printed while the next is on its way.
 *
 * @module
 */

import type { AdminClient } from "../admin/client.ts";
import { escapeControls } from "./format.ts";
import type { Io } from "./io.ts";
import type { GlobalOptions } from "./program.ts";
import { connect } from "./session.ts";

const PAGE_ROWS = 5000;

/** A list of the admin API. */
export interface PagedList<Row> {
  /** Such as `/tokens`. */
  readonly path: string;
  /** Under which the answer has its rows. */
  readonly key: string;
  /** What to ask after, for the page that follows a row. */
  readonly nameOf: (row: Row) => string;
  /** The table of one page, with a line of headings. */
  readonly show: (rows: readonly Row[]) => string;
}

/**
 * Prints a whole list: with `--json` as the one object that the server would answer, else as a table whose columns are
 * aligned within a page.
 *
 * @throws {VaultError} what the server or the way to it refuses.
 */
export async function answerPaged<Row>(io: Io, globals: GlobalOptions, list: PagedList<Row>): Promise<void> {
  using client = await connect(io, globals);
  let isFirst = true;
  for await (const rows of pagesOf(client, list)) {
    await io.out(globals.json ? jsonText(list, rows, isFirst) : tableText(list, rows, isFirst));
    isFirst = false;
  }
  if (globals.json) await io.out("]}\n");
}

/** At least one page, which may be empty. */
async function* pagesOf<Row>(client: AdminClient, { path, key, nameOf }: PagedList<Row>): AsyncGenerator<Row[]> {
  for (let query = `?limit=${PAGE_ROWS}`;;) {
    const { [key]: rows } = await client.json<Record<string, Row[]>>("GET", `${path}${query}`);
    yield rows!;
    if (rows!.length < PAGE_ROWS) return;
    query = `?limit=${PAGE_ROWS}&after=${encodeURIComponent(nameOf(rows!.at(-1)!))}`;
  }
}

function jsonText<Row>({ key }: PagedList<Row>, rows: readonly Row[], isFirst: boolean): string {
  const opening = isFirst ? `{${JSON.stringify(key)}:[` : rows.length > 0 ? "," : "";
  return opening + escapeControls(rows.map((row) => JSON.stringify(row)).join(","));
}

function tableText<Row>({ show }: PagedList<Row>, rows: readonly Row[], isFirst: boolean): string {
  const text = show(rows);
  return isFirst ? text : text.slice(text.indexOf("\n") + 1);
}
