/**
 * MySQL and MariaDB, by `mysql2`.
 *
 * @module
 */

import type mysql from "mysql2/promise";
import type {
  ConnectionSettings,
  ConnectionTarget,
  DatabasePlugin,
  DatabaseServer,
  EndedAccount,
} from "../vault/database/ports.ts";
import { LateServer } from "./late_server.ts";
import { accountsEnding, endAccount, hostsOf, type SeenRights } from "./mysql_accounts.ts";
import { isAnswer, runAll, Session } from "./mysql_session.ts";
import { isUnreached } from "./reached.ts";
import { hideMysqlPasswords, type MysqlAddress, mysqlPasswordsIn, readMysqlUrl } from "./mysql_url.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** Plugins for servers whose names have 16 characters. */
const SHORT_NAMES = new Set([
  "mysql-legacy-database-plugin",
  "mysql-rds-database-plugin",
  "mysql-aurora-database-plugin",
]);
/** The driver's word for a server that asks for what {@link isUnheard} doesn't allow. */
const NOT_IN_THE_CLEAR = "MYSQL_CLEAR_PASSWORD_NOT_ENABLED";

/** Servers of MySQL's kind. */
export const mysqlPlugin: DatabasePlugin = {
  names: ["mysql-database-plugin", ...SHORT_NAMES],
  maxUsernameLength: (name) => SHORT_NAMES.has(name) ? 16 : 32,
  usernameParts: (name) => SHORT_NAMES.has(name) ? { user: 3, random: 10 } : { user: 16, random: 13 },
  passwordRotation: ["ALTER USER '{{username}}'@'%' IDENTIFIED BY '{{password}}'"],
  renewal: [],
  passwordInSql: (password) => password,
  verifyPrefix: "error verifying - ping: ",
  open: (settings) => {
    const address = readMysqlUrl(settings);
    return new LateServer(async () => new MysqlServer((await import("mysql2/promise")).default, settings, address));
  },
  targetOf,
  passwordsIn: mysqlPasswordsIn,
  withoutPasswords: hideMysqlPasswords,
  isCertain: (error) => isAnswer(error) || isUnreached(error),
  messageOf,
};

class MysqlServer implements DatabaseServer {
  readonly #driver: typeof mysql;
  readonly #settings: ConnectionSettings;
  readonly #address: MysqlAddress;
  #pool: mysql.Pool;
  #place = 0;
  readonly #rights: SeenRights = {};

  constructor(driver: typeof mysql, settings: ConnectionSettings, address: MysqlAddress) {
    this.#driver = driver;
    this.#settings = settings;
    this.#address = address;
    this.#pool = this.#open();
  }

  async ping(): Promise<void> {
    await this.#use((session) => session.query("SELECT 1"));
  }

  async run(statements: readonly string[]): Promise<void> {
    await this.#use((session) => runAll(session, statements));
  }

  async hasAccount(username: string): Promise<boolean | undefined> {
    const hosts = await this.#use((session) => hostsOf(session, username));
    return hosts === undefined ? undefined : hosts.length > 0;
  }

  accountsEnding(end: string): Promise<readonly string[] | undefined> {
    return this.#use((session) => accountsEnding(session, end));
  }

  end(username: string, statements: readonly string[]): Promise<EndedAccount> {
    return this.#use((session) => endAccount(session, username, statements, this.#rights));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const connection = await this.#connection();
    try {
      const answer = await work(new Session(connection));
      connection.release();
      return answer;
    } catch (error) {
      // Whoever says nothing any more may say it to the next who asks.
      if (isAnswer(error)) connection.release();
      else connection.destroy();
      throw error;
    }
  }

  /** A connection to the first place that answers; those before it are left alone from then on. */
  async #connection(): Promise<mysql.PoolConnection> {
    for (let tried = 1;; tried++) {
      const pool = this.#pool;
      try {
        return await pool.getConnection();
      } catch (error) {
        if (tried >= this.#address.places.length || isAnswer(error)) throw error;
        if (pool === this.#pool) this.#goOn();
      }
    }
  }

  #goOn(): void {
    const former = this.#pool;
    this.#place = (this.#place + 1) % this.#address.places.length;
    this.#pool = this.#open();
    void former.end().catch(() => {});
  }

  #open(): mysql.Pool {
    const { user, password, places, database } = this.#address;
    const ssl = tlsOf(this.#settings, this.#address);
    return this.#driver.createPool({
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
      // Where in our code a question came from is told to nobody, and to write it down takes as long as to ask.
      trace: false,
      multipleStatements: true,
      enableCleartextPlugin: isUnheard(places[this.#place]!, ssl),
    });
  }
}

function targetOf(settings: ConnectionSettings): ConnectionTarget {
  const { user, password, places } = readMysqlUrl(settings);
  const place = places.map((one) => "host" in one ? `${one.host}:${one.port}` : one.socketPath).join(", ");
  return { place, user, password };
}

function tlsOf({ tlsCa, tlsCertificateKey, tlsSkipVerify }: ConnectionSettings, { tls }: MysqlAddress) {
  if (tls === "off" && tlsCa === "" && tlsCertificateKey === "") return undefined;
  return {
    rejectUnauthorized: !tlsSkipVerify && tls !== "unverified",
    ...(tlsCa === "" ? {} : { ca: tlsCa }),
    ...(tlsCertificateKey === "" ? {} : { cert: tlsCertificateKey, key: tlsCertificateKey }),
  };
}

/** Whether nobody on the way could read a password that a server wants as it is, as those that ask PAM or LDAP do. */
function isUnheard(place: MysqlAddress["places"][number], ssl: ReturnType<typeof tlsOf>): boolean {
  return "socketPath" in place || ssl?.rejectUnauthorized === true;
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
  if (code === NOT_IN_THE_CLEAR) {
    return "the server asks for the password in the clear, which goes over TLS or a unix socket alone";
  }
  if (code === "ECONNREFUSED") return `dial tcp ${address ?? "?"}:${port ?? "?"}: connect: connection refused`;
  return message || code || "the server can't be reached";
}
