/**
 * Long lists, sent in slices: `{"tokens":[…]}` of 100,000 rows must not hold up the calls of everybody else.
 *
 * @module
 */

/** Rows of one slice at most. */
const MAX_SLICE_ROWS = 1000;

/** A slice also ends when it took this long. Everything else in the process waits meanwhile. */
const MAX_SLICE_MS = 2;

/** The time is looked at once in this many rows. */
const ROWS_PER_LOOK = 32;

/**
 * The JSON text of `{"<key>":[rows]}` as a stream. Rows are taken when the reader asks for more, with a turn of the
 * event loop in between. Whatever the rows throw before their first one is thrown here, so that it can be answered.
 */
export function streamRows<T>(key: string, rows: Iterable<T>, toWire: (row: T) => unknown): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const slices = sliceRows(rows[Symbol.iterator](), toWire);
  const first = slices.next();
  let next: IteratorResult<string> | undefined = first;
  let opening = `{${JSON.stringify(key)}:[`;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (next === undefined) await nextTurn();
      next ??= slices.next();
      const chunk = opening + (next.done ? "]}" : next.value);
      opening = "";
      controller.enqueue(encoder.encode(chunk));
      if (next.done) controller.close();
      next = undefined;
    },
  }, { highWaterMark: 0 });
}

function* sliceRows<T>(rows: Iterator<T>, toWire: (row: T) => unknown): Generator<string, undefined> {
  let comma = "";
  for (;;) {
    const slice = takeSlice(rows, toWire);
    if (slice.length === 0) return undefined;
    yield comma + slice.join(",");
    comma = ",";
  }
}

function takeSlice<T>(rows: Iterator<T>, toWire: (row: T) => unknown): string[] {
  const started = performance.now();
  const slice: string[] = [];
  while (slice.length < MAX_SLICE_ROWS) {
    const row = rows.next();
    if (row.done) break;
    slice.push(JSON.stringify(toWire(row.value)));
    if (slice.length % ROWS_PER_LOOK === 0 && performance.now() - started > MAX_SLICE_MS) break;
  }
  return slice;
}

/** Lets timers and other requests run. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
