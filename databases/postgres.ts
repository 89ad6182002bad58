/**
 * PostgreSQL, by `postgres`.
 *
 * @module
 */

import postgres from "postgres";
import type { ConnectionSettings, DatabasePlugin, DatabaseServer } from "../vault/database/ports.ts";
import { hasPostgresPassword, hidePostgresPassword, type PostgresAddress, readPostgresUrl } from "./postgres_url.ts";

const CONNECT_TIMEOUT_SECONDS = 10;
const QUERY_TIMEOUT_MS = 30_000;
/** Two grants on one table at a time: one of them fails with this, and succeeds when it is repeated. */
const CONCURRENTLY_UPDATED = "tuple concurrently updated";
const DEADLOCK = "40P01";
const MAX_REPETITIONS = 50;
const NO_RIGHT = "42501";
const NO_SUCH_OBJECT = "42704";

/** Servers of PostgreSQL's kind. */
export const postgresPlugin: DatabasePlugin = {
  names: ["postgresql-database-plugin"],
  maxUsernameLength: () => 63,
  usernameTemplate: () => '{{ printf "v-%s-%s" (.UserName | truncate 16) (random 20) }}',
  passwordRotation: [`ALTER ROLE "{{username}}" WITH PASSWORD '{{password}}'`],
  renewal: [`ALTER ROLE "{{username}}" VALID UNTIL '{{expiration}}'`],
  verifyPrefix: "error verifying connection: ",
  open: (settings) => new PostgresServer(settings),
  hasPassword: hasPostgresPassword,
  withoutPassword: hidePostgresPassword,
  messageOf,
};

class PostgresServer implements DatabaseServer {
  readonly #sql: postgres.Sql;

  constructor(settings: ConnectionSettings) {
    this.#sql = open(settings, readPostgresUrl(settings));
  }

  async ping(): Promise<void> {
    await this.#sql`SELECT 1`;
  }

  /**
   * All in one message, which the server runs as one transaction (PostgreSQL 55.2.2.1). Not by the driver's own
   * transactions: where the connection is lost between two of their statements, the next one throws where nobody can catch
   * it. Each semicolon has a line of its own, as a statement may end in a comment.
   */
  async run(statements: readonly string[]): Promise<void> {
    await repeated(() => this.#sql.unsafe(statements.join("\n;\n")));
  }

  async hasAccount(username: string): Promise<boolean> {
    return (await this.#sql`SELECT 1 FROM pg_roles WHERE rolname = ${username}`).length > 0;
  }

  async endSessions(username: string): Promise<boolean> {
    const role = quoted(username);
    await repeated(() => this.#sql.unsafe(`ALTER ROLE ${role} NOLOGIN`)).catch(unless(NO_SUCH_OBJECT));
    try {
      await this.#sql`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ${username}`;
      return true;
    } catch (error) {
      if (codeOf(error) === NO_RIGHT) return false;
      throw error;
    }
  }

  async dropAccount(username: string): Promise<void> {
    if (!await this.hasAccount(username)) return;
    const role = quoted(username);
    // Who is no superuser may hand over and drop what belongs to roles that it is a member of.
    await repeated(() => this.#sql.unsafe(`GRANT ${role} TO CURRENT_USER`)).catch(unless(NO_RIGHT, "0LP01"));
    await this.run([
      `REASSIGN OWNED BY ${role} TO CURRENT_USER`,
      `DROP OWNED BY ${role}`,
      `DROP ROLE IF EXISTS ${role}`,
    ]);
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 5 });
  }
}

function open(settings: ConnectionSettings, address: PostgresAddress): postgres.Sql {
  const options = {
    host: [...address.hosts],
    port: [...address.ports],
    user: address.user,
    password: address.password,
    database: address.database,
    ssl: tlsOf(settings, address),
    max: settings.maxOpenConnections,
    idle_timeout: 60,
    ...(settings.maxConnectionLifetime > 0 ? { max_lifetime: settings.maxConnectionLifetime } : {}),
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    prepare: false,
    fetch_types: false,
    onnotice: () => {},
    connection: {
      ...address.others,
      TimeZone: "UTC",
      statement_timeout: QUERY_TIMEOUT_MS,
    },
  };
  // The types know no lists of hosts, which the driver tries in turn.
  return postgres(options as unknown as postgres.Options<Record<string, never>>);
}

function tlsOf({ tlsCa, tlsCertificateKey, tlsSkipVerify }: ConnectionSettings, { sslmode }: PostgresAddress) {
  if (sslmode === "disable") return false;
  if (sslmode === "prefer" && tlsCa === "" && tlsCertificateKey === "") return "prefer" as const;
  const isVerified = !tlsSkipVerify && (sslmode.startsWith("verify-") || tlsCa !== "");
  return {
    rejectUnauthorized: isVerified,
    ...(tlsCa === "" ? {} : { ca: tlsCa }),
    ...(tlsCertificateKey === "" ? {} : { cert: tlsCertificateKey, key: tlsCertificateKey }),
  };
}

async function repeated<T>(work: () => Promise<T>): Promise<T> {
  for (let time = 1;; time++) {
    try {
      return await work();
    } catch (error) {
      if (time === MAX_REPETITIONS || !isCollision(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(time * 5, 100)));
    }
  }
}

function isCollision(error: unknown): boolean {
  return codeOf(error) === DEADLOCK || error instanceof Error && error.message.includes(CONCURRENTLY_UPDATED);
}

function unless(...codes: readonly string[]): (error: unknown) => void {
  return (error) => {
    if (!codes.includes(codeOf(error))) throw error;
  };
}

function codeOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

/** An identifier, quoted (PostgreSQL 4.1.1). */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

interface DriverError {
  readonly code?: string;
  readonly message?: string;
  readonly severity?: string;
  readonly address?: string;
  readonly port?: number;
}

function messageOf(thrown: unknown): string {
  const { code, message, severity, address, port } = thrown as DriverError;
  if (severity !== undefined) return `${message} (SQLSTATE ${code})`;
  if (code === "ECONNREFUSED") return `dial tcp ${address ?? "?"}:${port ?? "?"}: connect: connection refused`;
  return message || code || "the server can't be reached";
}
