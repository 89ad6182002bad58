/**
 * One connection to a MySQL server, and what its errors mean.
 *
 * @module
 */

import type mysql from "mysql2/promise";

const QUERY_TIMEOUT_MS = 30_000;

/** One row of an answer. */
export type Row = Readonly<Record<string, unknown>>;

/** One connection, which answers in time or not at all. */
export class Session {
  constructor(readonly connection: mysql.PoolConnection) {}

  /** The rows of one statement. */
  async query(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return rowsOf(await this.#ask(sql, values));
  }

  /**
   * The rows of each of several statements, which go in one message: the server runs them in order, up to the first that
   * fails. Each semicolon has a line of its own, as a statement may end in a comment.
   */
  async queryAll(statements: readonly string[], values: readonly unknown[] = []): Promise<(readonly Row[])[]> {
    if (statements.length === 1) return [await this.query(statements[0]!, values)];
    const answers = await this.#ask(statements.join("\n;\n"), values);
    return Array.isArray(answers) ? answers.map(rowsOf) : [];
  }

  async #ask(sql: string, values: readonly unknown[]): Promise<unknown> {
    const [answer] = await this.connection.query({ sql, values: [...values], timeout: QUERY_TIMEOUT_MS });
    return answer;
  }
}

function rowsOf(answer: unknown): readonly Row[] {
  return Array.isArray(answer) ? answer as Row[] : [];
}

/** Runs statements in order, in one message. */
export async function runAll(session: Session, statements: readonly string[]): Promise<void> {
  if (statements.length > 0) await session.queryAll(statements);
}

/** Whether a server said it, rather than nobody. */
export function isAnswer(error: unknown): boolean {
  return numberOf(error) > 0;
}

/** The server's number of an error; 0: nobody said it. */
export function numberOf(error: unknown): number {
  const found = (error as { readonly errno?: unknown }).errno;
  return typeof found === "number" ? found : 0;
}
