/**
 * Accounts made and taken away by the drivers alone, with the SQL that the vault sends: what its rates are compared to.
 *
 * @module
 */

import mysql from "mysql2/promise";
import postgres from "postgres";
import { type TestServer, VAULT_PASSWORD, VAULT_USER } from "../tests/database/_servers.ts";

const COLLISION = /tuple concurrently updated|permission denied to reassign objects/;

/** A client of a server. */
export interface PlainClient extends AsyncDisposable {
  create(username: string, password: string): Promise<void>;
  /** With a lock, an end of its sessions and a drop, as the vault does it. */
  drop(username: string): Promise<void>;
  /** By the drop alone. */
  dropOnly(username: string): Promise<void>;
}

/** Connects, with so many connections. */
export function plainClient(server: TestServer, connections: number): PlainClient {
  return server.kind === "mysql" ? mysqlClient(server, connections) : postgresClient(server, connections);
}

function filled(server: TestServer, username: string, password: string): string {
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  return server.creation.join(";").replaceAll("{{name}}", username).replaceAll("{{password}}", password)
    .replaceAll("{{expiration}}", expiration);
}

function mysqlClient(server: TestServer, connectionLimit: number): PlainClient {
  const account = { user: VAULT_USER, password: VAULT_PASSWORD };
  const pool = mysql.createPool({ host: "127.0.0.1", port: server.port, ...account, connectionLimit });
  const all = async (statements: readonly (readonly [sql: string, ...values: unknown[]])[]) => {
    const connection = await pool.getConnection();
    for (const [sql, ...values] of statements) await connection.query(sql, values);
    connection.release();
  };
  return {
    create: (username, password) => all(filled(server, username, password).split(";").map((sql) => [sql] as const)),
    drop: (username) =>
      all([
        ["SELECT Host AS host FROM mysql.user WHERE User = ?", username],
        ["ALTER USER ?@? ACCOUNT LOCK", username, "%"],
        ["KILL CONNECTION USER ?", username],
        ["DROP USER IF EXISTS ?@?", username, "%"],
      ]),
    dropOnly: (username) => all([["DROP USER IF EXISTS ?@?", username, "%"]]),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

function postgresClient(server: TestServer, max: number): PlainClient {
  const account = { user: VAULT_USER, password: VAULT_PASSWORD, database: "app" };
  const options = { max, ssl: false, prepare: false, fetch_types: false, onnotice: () => {} };
  const sql = postgres({ host: "127.0.0.1", port: server.port, ...account, ...options });
  const run = async (statements: string) => {
    for (;;) {
      try {
        return await sql.unsafe(statements);
      } catch (error) {
        // Two grants at a time: whoever is late, or didn't see one, does it again, here as there.
        if (!(error instanceof Error && COLLISION.test(error.message))) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      }
    }
  };
  const drop = (name: string) =>
    run(`REASSIGN OWNED BY "${name}" TO CURRENT_USER; DROP OWNED BY "${name}"; DROP ROLE IF EXISTS "${name}"`);
  return {
    create: async (username, password) => void await run(filled(server, username, password)),
    drop: async (name) => {
      await run(`ALTER ROLE "${name}" NOLOGIN; GRANT "${name}" TO CURRENT_USER`);
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${name}`;
      await drop(name);
    },
    dropOnly: async (name) => {
      await run(`GRANT "${name}" TO CURRENT_USER`);
      await drop(name);
    },
    [Symbol.asyncDispose]: () => sql.end(),
  };
}
