/**
 * The best k of a stream of scores, through a heap of k rows: no sort of everything, no memory beyond k.
 *
 * @module
 */

/** One row of an answer. */
export interface ScoreRow {
  /** As the ciphertext names the shard, else its position. */
  readonly shardIndex: number;
  /** Row within the shard. */
  readonly rowIndex: number;
  /** A float32 value, widened. */
  readonly score: number;
}

interface Candidate extends ScoreRow {
  /** Position in the stream: of equal scores the earlier row is better. */
  readonly order: number;
}

function isWorse(left: Candidate, right: Candidate): boolean {
  return left.score < right.score || (left.score === right.score && left.order > right.order);
}

/** Keeps the best rows offered so far; the root of its heap is the worst of them. */
export class TopRows {
  readonly #heap: Candidate[] = [];
  #offered = 0;

  /** @param limit How many rows to keep, at least 1. */
  constructor(readonly limit: number) {}

  /** Offers the next row of the stream. */
  offer(shardIndex: number, rowIndex: number, score: number): void {
    const order = this.#offered++;
    if (this.#heap.length < this.limit) {
      this.#heap.push({ shardIndex, rowIndex, score, order });
      this.#raise(this.#heap.length - 1);
    } else if (score > this.#heap[0]!.score) {
      this.#heap[0] = { shardIndex, rowIndex, score, order };
      this.#sink(0);
    }
  }

  /** The rows kept, best first; ties in the order in which they were offered. */
  sorted(): ScoreRow[] {
    return this.#heap.toSorted((left, right) => isWorse(left, right) ? 1 : -1)
      .map(({ shardIndex, rowIndex, score }) => ({ shardIndex, rowIndex, score }));
  }

  #raise(start: number): void {
    for (let at = start; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!isWorse(this.#heap[at]!, this.#heap[parent]!)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(start: number): void {
    for (let at = start;;) {
      const left = 2 * at + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && isWorse(this.#heap[right]!, this.#heap[left]!) ? right : left;
      if (!isWorse(this.#heap[child]!, this.#heap[at]!)) return;
      this.#swap(at, child);
      at = child;
    }
  }

  #swap(left: number, right: number): void {
    const moved = this.#heap[left]!;
    this.#heap[left] = this.#heap[right]!;
    this.#heap[right] = moved;
  }
}
