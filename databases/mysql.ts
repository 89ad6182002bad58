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
import { isUnreached } from "./reached.ts";
import { hideMysqlPasswords, type MysqlAddress, mysqlPasswordsIn, readMysqlUrl } from "./mysql_url.ts";

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
/** The driver's word for a server that asks for what {@link isUnheard} doesn't allow. */
const NOT_IN_THE_CLEAR = "MYSQL_CLEAR_PASSWORD_NOT_ENABLED";
const SYNTAX_ERROR = 1064;
const NO_SUCH_ACCOUNT = 1396;
const HOSTS = "SELECT Host AS host FROM mysql.user WHERE User = ?";
const ENDING = "SELECT DISTINCT User AS name FROM mysql.user WHERE RIGHT(User, ?) = ?";
const SESSIONS = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = ?";

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

type Row = Readonly<Record<string, unknown>>;

class MysqlServer implements DatabaseServer {
  readonly #driver: typeof mysql;
  readonly #settings: ConnectionSettings;
  readonly #address: MysqlAddress;
  #pool: mysql.Pool;
  #place = 0;
  /** Whether our account sees everybody's sessions; asked once. */
  #seesSessions: boolean | undefined;

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
    return this.#use((session) =>
      whereAllowed(async () => {
        const rows = await session.query(ENDING, [end.length, end]);
        return rows.map(({ name }) => String(name));
      })
    );
  }

  end(username: string, statements: readonly string[]): Promise<EndedAccount> {
    return this.#use(async (session) => {
      const locked = await this.#lockAtOnce(session, username) ?? await this.#lockOut(session, username);
      if (locked === undefined) return { wasThere: false, hasEndedSessions: true };
      let hasEndedSessions = locked.sessions !== undefined;
      for (const { id } of locked.sessions ?? []) {
        hasEndedSessions = await kill(session, Number(id)) && hasEndedSessions;
      }
      if (statements.length > 0) await runAll(session, statements);
      else await session.query(`DROP USER IF EXISTS ${locked.names}`, locked.values);
      return { wasThere: true, hasEndedSessions };
    });
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  /**
   * Looks for an account, locks it and asks for its sessions in one message, taking it to be where accounts are made by
   * default; undefined where it isn't, and where the server or our rights don't allow that.
   */
  async #lockAtOnce(session: Session, username: string): Promise<LockedAccount | undefined> {
    if (!this.#seesSessions) return undefined;
    const account = accountAt(username, ["%"]);
    const lock = `ALTER USER IF EXISTS ${account.names} ACCOUNT LOCK`;
    try {
      const [hosts, , sessions] = await session.queryAll([HOSTS, lock, SESSIONS], [
        username,
        ...account.values,
        username,
      ]);
      return hosts!.length === 1 && hosts![0]!["host"] === "%" ? { ...account, sessions: sessions! } : undefined;
    } catch (error) {
      if (!isUnlockable(error)) throw error;
      return undefined;
    }
  }

  /** The same in as many messages as it takes; undefined where there is no such account. */
  async #lockOut(session: Session, username: string): Promise<LockedAccount | undefined> {
    // Where we may not look, it is taken to be where accounts are made by default.
    const hosts = await hostsOf(session, username) ?? ["%"];
    if (hosts.length === 0) return undefined;
    const account = accountAt(username, hosts);
    this.#seesSessions ??= await maySeeSessions(session);
    if (this.#seesSessions) {
      return { ...account, sessions: await lockedSessions(session, username, account) };
    }
    await lock(session, account);
    return { ...account, sessions: undefined };
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
      multipleStatements: true,
      enableCleartextPlugin: isUnheard(places[this.#place]!, ssl),
    });
  }
}

/** One connection, which answers in time or not at all. */
class Session {
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

async function runAll(session: Session, statements: readonly string[]): Promise<void> {
  if (statements.length > 0) await session.queryAll(statements);
}

/** The hosts that an account may come from; undefined where the right to look is missing. */
function hostsOf(session: Session, username: string): Promise<string[] | undefined> {
  return whereAllowed(async () => {
    const rows = await session.query(HOSTS, [username]);
    return rows.map(({ host }) => String(host));
  });
}

/** What somebody finds out; undefined where the right to is missing. */
async function whereAllowed<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (NO_RIGHT.has(numberOf(error))) return undefined;
    throw error;
  }
}

/** One account at each of its hosts, as `?@?,?@?`, and what stands for the question marks. */
interface Account {
  readonly names: string;
  readonly values: readonly string[];
}

/** An account that lets nobody in any more. */
interface LockedAccount extends Account {
  /** Those that it still has; undefined where we may not see them. */
  readonly sessions: readonly Row[] | undefined;
}

function accountAt(username: string, hosts: readonly string[]): Account {
  return { names: hosts.map(() => "?@?").join(), values: hosts.flatMap((host) => [username, host]) };
}

/** The sessions of an account that was locked before anybody looked: one that ends before that comes back. */
async function lockedSessions(session: Session, username: string, account: Account): Promise<readonly Row[]> {
  try {
    return (await session.queryAll([lockOf(account), SESSIONS], [...account.values, username])).at(-1)!;
  } catch (error) {
    if (!isUnlockable(error)) throw error;
    return await session.query(SESSIONS, [username]);
  }
}

async function lock(session: Session, account: Account): Promise<void> {
  try {
    await session.query(lockOf(account), account.values);
  } catch (error) {
    if (!isUnlockable(error)) throw error;
  }
}

function lockOf({ names }: Account): string {
  return `ALTER USER ${names} ACCOUNT LOCK`;
}

/** Servers before MySQL 5.7 and MariaDB 10.4 know no locks; what follows drops the account all the same. */
function isUnlockable(error: unknown): boolean {
  return [SYNTAX_ERROR, NO_SUCH_ACCOUNT, ...NO_RIGHT].includes(numberOf(error));
}

async function maySeeSessions(session: Session): Promise<boolean> {
  const rows = await session.query(
    "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'PROCESS' LIMIT 1",
  );
  return rows.length > 0;
}

async function kill(session: Session, id: number): Promise<boolean> {
  try {
    await session.query("KILL CONNECTION ?", [id]);
    return true;
  } catch (error) {
    return numberOf(error) === NO_SUCH_THREAD;
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
  if (code === NOT_IN_THE_CLEAR) {
    return "the server asks for the password in the clear, which goes over TLS or a unix socket alone";
  }
  if (code === "ECONNREFUSED") return `dial tcp ${address ?? "?"}:${port ?? "?"}: connect: connection refused`;
  return message || code || "the server can't be reached";
}
