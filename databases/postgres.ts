/**
 * PostgreSQL, by `postgres`.
 *
 * @module
 */

import type postgres from "postgres";
import type {
  ConnectionSettings,
  ConnectionTarget,
  DatabasePlugin,
  DatabaseServer,
  EndedAccount,
} from "../vault/database/ports.ts";
import { LateServer } from "./late_server.ts";
import { isUnreached } from "./reached.ts";
import { scramVerifier } from "./scram.ts";
import { hidePostgresPasswords, type PostgresAddress, postgresPasswordsIn, readPostgresUrl } from "./postgres_url.ts";

const CONNECT_TIMEOUT_SECONDS = 10;
const QUERY_TIMEOUT_MS = 30_000;
/** Two grants on one table at a time: one of them fails with this, and succeeds when it is repeated. */
const CONCURRENTLY_UPDATED = "tuple concurrently updated";
const DEADLOCK = "40P01";
const MAX_REPETITIONS = 50;
const NO_RIGHT = "42501";
const INVALID_GRANT = "0LP01";
const NO_SUCH_OBJECT = "42704";
const SESSION_END_MS = 5000;

/** Servers of PostgreSQL's kind. */
export const postgresPlugin: DatabasePlugin = {
  names: ["postgresql-database-plugin"],
  maxUsernameLength: () => 63,
  usernameParts: () => ({ user: 16, random: 20 }),
  passwordRotation: [`ALTER ROLE "{{username}}" WITH PASSWORD '{{password}}'`],
  passwordInSql: (password, { passwordAuthentication }) =>
    passwordAuthentication === "password" ? password : scramVerifier(password),
  renewal: [`ALTER ROLE "{{username}}" VALID UNTIL '{{expiration}}'`],
  verifyPrefix: "error verifying connection: ",
  open: (settings) => {
    const address = readPostgresUrl(settings);
    return new LateServer(async () => new PostgresServer((await import("postgres")).default, settings, address));
  },
  targetOf,
  passwordsIn: postgresPasswordsIn,
  withoutPasswords: hidePostgresPasswords,
  isCertain: (error) => (error as DriverError).severity !== undefined || isUnreached(error),
  messageOf,
};

class PostgresServer implements DatabaseServer {
  readonly #driver: typeof postgres;
  readonly #settings: ConnectionSettings;
  readonly #address: PostgresAddress;
  #sql: postgres.Sql;

  constructor(driver: typeof postgres, settings: ConnectionSettings, address: PostgresAddress) {
    this.#driver = driver;
    this.#settings = settings;
    this.#address = address;
    this.#sql = open(driver, settings, address);
  }

  async ping(): Promise<void> {
    await this.#ask((sql) => sql`SELECT 1`);
  }

  /**
   * All in one message, which the server runs as one transaction (PostgreSQL 55.2.2.1). Not by the driver's own
   * transactions: where the connection is lost between two of their statements, the next one throws where nobody can catch
   * it. Each semicolon has a line of its own, as a statement may end in a comment.
   */
  async run(statements: readonly string[]): Promise<void> {
    await this.#message(statements);
  }

  async hasAccount(username: string): Promise<boolean> {
    return (await this.#ask((sql) => sql`SELECT 1 FROM pg_roles WHERE rolname = ${username}`)).length > 0;
  }

  async accountsEnding(end: string): Promise<readonly string[]> {
    const rows = await this.#ask((sql) =>
      sql`SELECT rolname AS name FROM pg_roles WHERE right(rolname::text, ${end.length}::int) = ${end}`
    );
    return rows.map((row) => String(row["name"]));
  }

  async end(username: string, statements: readonly string[]): Promise<EndedAccount> {
    const role = quoted(username);
    const drop = statements.length > 0
      ? statements
      : [`REASSIGN OWNED BY ${role} TO CURRENT_USER`, `DROP OWNED BY ${role}`, `DROP ROLE IF EXISTS ${role}`];
    if (await this.#endAtOnce(username, drop)) return { wasThere: true, hasEndedSessions: true };
    const hasEndedSessions = await this.#lockOut(username);
    if (hasEndedSessions === undefined) return { wasThere: false, hasEndedSessions: true };
    await this.run(drop).catch(async (error) => {
      if (codeOf(error) !== NO_RIGHT) throw error;
      await this.#runAsMember(role, drop, error);
    });
    return { wasThere: true, hasEndedSessions };
  }

  /**
   * All in one message. Where a session is there, it is told to end, and what follows isn't run: a division by the number
   * of nobody's sessions stops the message.
   *
   * @returns Whether that was all of it; false, with nothing changed but the lock: it is to be done step by step, which
   *   tells what is the matter.
   */
  async #endAtOnce(username: string, drop: readonly string[]): Promise<boolean> {
    const noSession = endOfSessions(username, "1 / (count(pg_terminate_backend(pid)) = 0)::int");
    try {
      await this.#message([...lockOf(username), "COMMIT", noSession, ...drop]);
      return true;
    } catch (error) {
      if ((error as DriverError).severity === undefined) throw error;
      return false;
    }
  }

  /**
   * Runs statements that failed for want of a right, in a session that learns anew what it is a member of: one that looked
   * its memberships up while another session's was granted may have missed that, and misses it until they change again.
   */
  async #runAsMember(role: string, statements: readonly string[], failure: unknown): Promise<void> {
    try {
      await this.run([`REVOKE ${role} FROM CURRENT_USER`, `GRANT ${role} TO CURRENT_USER`, ...statements]);
    } catch (error) {
      throw [NO_RIGHT, INVALID_GRANT].includes(codeOf(error)) ? failure : error;
    }
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 5 });
  }

  /**
   * Locks an account, then ends its sessions, in one message. The lock is committed before they end, or they would come back;
   * a COMMIT does so also where no BEGIN was (PostgreSQL 55.2.2.1). Who is no superuser may end the sessions, and hand over
   * and drop what belongs to roles, of which it is a member.
   *
   * @returns Whether all sessions ended, false where the right is missing; undefined: there is no such role.
   */
  async #lockOut(username: string): Promise<boolean | undefined> {
    const [lock, grant] = lockOf(username);
    try {
      const all = [lock, grant, "COMMIT", endOfSessions(username)];
      const told = await this.#message(all).catch(async (error) => {
        if (![NO_RIGHT, INVALID_GRANT].includes(codeOf(error))) throw error;
        await this.run([lock]);
      });
      return told?.at(-1)?.length === 0 || await this.#endSessions(username);
    } catch (error) {
      if (codeOf(error) === NO_SUCH_OBJECT) return undefined;
      throw error;
    }
  }

  async #endSessions(username: string): Promise<boolean> {
    const deadline = performance.now() + SESSION_END_MS;
    try {
      // Each hears of it at its next breath; the answer is that it was told.
      while ((await this.#ask((sql) => sql.unsafe(endOfSessions(username)))).length > 0) {
        if (performance.now() > deadline) return false;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return true;
    } catch (error) {
      if (codeOf(error) === NO_RIGHT) return false;
      throw error;
    }
  }

  /** What the server answers to each of several statements. */
  async #message(statements: readonly string[]): Promise<readonly (readonly unknown[])[]> {
    const answers: unknown = await repeated(() => this.#ask((sql) => sql.unsafe(statements.join("\n;\n"))));
    return answers as (readonly unknown[])[];
  }

  async #ask<T>(query: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    const sql = this.#sql;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      // Whoever gives no answer in time is left with all that was asked of it: nobody knows what it does with it.
      this.#startOver(sql, 0);
      reject(new Error(`no answer within ${QUERY_TIMEOUT_MS / 1000} s`));
    }, QUERY_TIMEOUT_MS);
    try {
      return await Promise.race([query(sql), late]);
    } catch (error) {
      if (isBroken(error)) this.#startOver(sql, QUERY_TIMEOUT_MS / 1000);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The driver connects without end where a connection broke during a query and the server refuses the next one. */
  #startOver(sql: postgres.Sql, timeout: number): void {
    if (sql === this.#sql) this.#sql = open(this.#driver, this.#settings, this.#address);
    void sql.end({ timeout }).catch(() => {});
  }
}

function open(driver: typeof postgres, settings: ConnectionSettings, address: PostgresAddress): postgres.Sql {
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
    // Who asks decides when to try again.
    backoff: 0,
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
  return driver(options as unknown as postgres.Options<Record<string, never>>);
}

function targetOf(settings: ConnectionSettings): ConnectionTarget {
  const { user, password, hosts, ports } = readPostgresUrl(settings);
  return { place: hosts.map((host, i) => `${host}:${ports[i]}`).join(", "), user, password };
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

/** Whether an error is the end of a connection that there was. */
function isBroken(error: unknown): boolean {
  const { severity } = error as DriverError;
  return severity === undefined ? !isUnreached(error) : severity === "FATAL" || severity === "PANIC";
}

function codeOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

/** An identifier, quoted (PostgreSQL 4.1.1). */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A lock, and the membership that it takes to do more. */
function lockOf(username: string): readonly [lock: string, grant: string] {
  const role = quoted(username);
  return [`ALTER ROLE ${role} NOLOGIN`, `GRANT ${role} TO CURRENT_USER`];
}

function endOfSessions(username: string, told = "pg_terminate_backend(pid)"): string {
  const name = username.replaceAll("'", "''");
  return `SELECT ${told} FROM pg_stat_activity WHERE usename = '${name}'`;
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
