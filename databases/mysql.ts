/**
 * MySQL and MariaDB, by `mysql2`.
 *
 * @module
 */

import mysql from "mysql2/promise";
import type { ConnectionSettings, DatabasePlugin, DatabaseServer } from "../vault/database/ports.ts";
import { hasMysqlPassword, hideMysqlPassword, type MysqlAddress, readMysqlUrl } from "./mysql_url.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 30_000;
/** Plugins for servers whose names have 16 characters. */
const SHORT_NAMES = new Set([
  "mysql-legacy-database-plugin",
  "mysql-rds-database-plugin",
  "mysql-aurora-database-plugin",
]);
/** Not allowed to look into `mysql.user`, or to lock accounts. */
const NO_RIGHT = new Set([1044, 1142, 1227, 1370]);
const NO_SUCH_THREAD = 1094;
const SYNTAX_ERROR = 1064;

/** Servers of MySQL's kind. */
export const mysqlPlugin: DatabasePlugin = {
  names: ["mysql-database-plugin", ...SHORT_NAMES],
  maxUsernameLength: (name) => SHORT_NAMES.has(name) ? 16 : 32,
  usernameTemplate: (name) =>
    SHORT_NAMES.has(name)
      ? '{{ printf "v-%s-%s" (.UserName | truncate 3) (random 10) }}'
      : '{{ printf "v-%s-%s" (.UserName | truncate 16) (random 13) }}',
  passwordRotation: ["ALTER USER '{{username}}'@'%' IDENTIFIED BY '{{password}}'"],
  renewal: [],
  verifyPrefix: "error verifying - ping: ",
  open: (settings) => new MysqlServer(settings),
  hasPassword: hasMysqlPassword,
  withoutPassword: hideMysqlPassword,
  messageOf,
};

type Row = Readonly<Record<string, unknown>>;

class MysqlServer implements DatabaseServer {
  readonly #settings: ConnectionSettings;
  readonly #address: MysqlAddress;
  #pool: mysql.Pool;
  #place = 0;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#address = readMysqlUrl(settings);
    this.#pool = this.#open();
  }

  async ping(): Promise<void> {
    await this.#query("SELECT 1");
  }

  async run(statements: readonly string[]): Promise<void> {
    const connection = await this.#connection();
    try {
      for (const sql of statements) await connection.query({ sql, timeout: QUERY_TIMEOUT_MS });
    } finally {
      connection.release();
    }
  }

  async hasAccount(username: string): Promise<boolean | undefined> {
    const hosts = await this.#knownHostsOf(username);
    return hosts === undefined ? undefined : hosts.length > 0;
  }

  async endSessions(username: string): Promise<boolean> {
    for (const host of await this.#hostsOf(username)) await this.#lock(username, host);
    if (!await this.#maySeeSessions()) return false;
    const sessions = await this.#query("SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = ?", [
      username,
    ]);
    let hasEnded = true;
    for (const { id } of sessions) hasEnded = await this.#kill(Number(id)) && hasEnded;
    return hasEnded;
  }

  async dropAccount(username: string): Promise<void> {
    for (const host of await this.#hostsOf(username)) await this.#query("DROP USER IF EXISTS ?@?", [username, host]);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #query(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const connection = await this.#connection();
    try {
      const [rows] = await connection.query({ sql, values: [...values], timeout: QUERY_TIMEOUT_MS });
      return Array.isArray(rows) ? rows as Row[] : [];
    } finally {
      connection.release();
    }
  }

  /** A connection to the first place that answers; those before it are left alone from then on. */
  async #connection(): Promise<mysql.PoolConnection> {
    for (let tried = 1;; tried++) {
      try {
        return await this.#pool.getConnection();
      } catch (error) {
        if (tried >= this.#address.places.length || isAnswer(error)) throw error;
        this.#place = (this.#place + 1) % this.#address.places.length;
        const former = this.#pool;
        this.#pool = this.#open();
        void former.end().catch(() => {});
      }
    }
  }

  #open(): mysql.Pool {
    const { user, password, places, database } = this.#address;
    const ssl = tlsOf(this.#settings, this.#address);
    return mysql.createPool({
      ...places[this.#place]!,
      user,
      password,
      ...(database === "" ? {} : { database }),
      ...(ssl === undefined ? {} : { ssl }),
      connectionLimit: this.#settings.maxOpenConnections,
      connectTimeout: CONNECT_TIMEOUT_MS,
      idleTimeout: (this.#settings.maxConnectionLifetime || 60) * 1000,
      maxIdle: this.#settings.maxOpenConnections,
      waitForConnections: true,
      multipleStatements: false,
    });
  }

  /** The hosts that an account may come from; any, where the right to look is missing. */
  async #hostsOf(username: string): Promise<string[]> {
    return await this.#knownHostsOf(username) ?? ["%"];
  }

  async #knownHostsOf(username: string): Promise<string[] | undefined> {
    try {
      const rows = await this.#query("SELECT Host AS host FROM mysql.user WHERE User = ?", [username]);
      return rows.map(({ host }) => String(host));
    } catch (error) {
      if (NO_RIGHT.has(numberOf(error))) return undefined;
      throw error;
    }
  }

  async #lock(username: string, host: string): Promise<void> {
    try {
      await this.#query("ALTER USER ?@? ACCOUNT LOCK", [username, host]);
    } catch (error) {
      // Servers before MySQL 5.7 and MariaDB 10.4 know no locks; what follows drops the account all the same.
      if (![SYNTAX_ERROR, ...NO_RIGHT].includes(numberOf(error))) throw error;
    }
  }

  async #maySeeSessions(): Promise<boolean> {
    const rows = await this.#query(
      "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'PROCESS' LIMIT 1",
    );
    return rows.length > 0;
  }

  async #kill(id: number): Promise<boolean> {
    try {
      await this.#query("KILL CONNECTION ?", [id]);
      return true;
    } catch (error) {
      return numberOf(error) === NO_SUCH_THREAD;
    }
  }
}

function tlsOf({ tlsCa, tlsCertificateKey, tlsSkipVerify }: ConnectionSettings, { tls }: MysqlAddress) {
  if (tls === "off" && tlsCa === "" && tlsCertificateKey === "") return undefined;
  return {
    rejectUnauthorized: !tlsSkipVerify && tls !== "unverified",
    ...(tlsCa === "" ? {} : { ca: tlsCa }),
    ...(tlsCertificateKey === "" ? {} : { cert: tlsCertificateKey, key: tlsCertificateKey }),
  };
}

/** Whether a server said it, rather than nobody. */
function isAnswer(error: unknown): boolean {
  return numberOf(error) > 0;
}

function numberOf(error: unknown): number {
  const found = (error as { readonly errno?: unknown }).errno;
  return typeof found === "number" ? found : 0;
}

interface DriverError {
  readonly code?: string;
  readonly errno?: number;
  readonly sqlState?: string;
  readonly sqlMessage?: string;
  readonly message?: string;
  readonly address?: string;
  readonly port?: number;
}

function messageOf(thrown: unknown): string {
  const { code, errno, sqlState, sqlMessage, message, address, port } = thrown as DriverError;
  if (errno !== undefined && errno > 0 && sqlMessage !== undefined) {
    return `Error ${errno} (${sqlState ?? "HY000"}): ${sqlMessage}`;
  }
  if (code === "ECONNREFUSED") return `dial tcp ${address ?? "?"}:${port ?? "?"}: connect: connection refused`;
  return message || code || "the server can't be reached";
}
