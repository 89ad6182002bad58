/**
 * Real database servers for tests: Debian's MariaDB and PostgreSQL, in temporary folders, on free ports, stopped by their
 * process ids.
 *
 * @module
 */

import mysql from "mysql2/promise";
import { makeCertificate, type ServerCertificate } from "./_certificate.ts";
import postgres from "postgres";

/** The account that the vault is given: it may make and drop accounts and end sessions, no more. */
export const VAULT_USER = "vaultadmin";
export const VAULT_PASSWORD = "s3cret-ofthe-Vault";
const START_MS = 60_000;

/** A server that runs. */
export interface TestServer extends AsyncDisposable {
  readonly kind: "mysql" | "postgresql";
  readonly pluginName: string;
  readonly port: number;
  /** With `{{username}}` and `{{password}}`. */
  readonly url: string;
  /** Its certificate, where it speaks TLS. */
  readonly certificate: ServerCertificate | undefined;
  /** Statements that make an account which may read the table `app.notes`. */
  readonly creation: readonly string[];
  /** Statements that take such an account away; they fail where it is gone. */
  readonly revocation: readonly string[];
  /** Takes an account away behind the vault's back. */
  dropByHand(username: string): Promise<void>;
  /** Runs a statement as the server's own administrator. */
  admin(sql: string): Promise<Record<string, unknown>[]>;
  /** Runs a statement as the account that the vault has. */
  asVault(sql: string): Promise<void>;
  /** Runs a statement as an account. */
  runAs(username: string, password: string, sql: string): Promise<void>;
  /** Has the server say nothing, or go on. */
  freeze(isFrozen: boolean): void;
  /** Whether somebody is let in. */
  logsIn(username: string, password: string): Promise<boolean>;
  /** Opens a session that stays; the function tells whether it still answers. */
  session(username: string, password: string): Promise<() => Promise<boolean>>;
  /** Accounts whose names begin so. */
  accounts(prefix: string): Promise<string[]>;
  /** Stops the server at once, as a crash would. */
  stop(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
}

/** Whether both servers are installed; with RUNEVAULT_TEST_ALL=1 they must be. */
export async function serversAreThere(): Promise<boolean> {
  const isThere = await isFile("/usr/sbin/mariadbd") && await postgresBin() !== undefined;
  if (!isThere && Deno.env.get("RUNEVAULT_TEST_ALL") === "1") {
    throw new Error("mariadb-server and postgresql are needed: apt install them");
  }
  return isThere;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

async function postgresBin(): Promise<string | undefined> {
  try {
    for await (const { name } of Deno.readDir("/usr/lib/postgresql")) {
      if (await isFile(`/usr/lib/postgresql/${name}/bin/postgres`)) return `/usr/lib/postgresql/${name}/bin`;
    }
  } catch {
    return undefined;
  }
  return undefined;
}

/** Below those that systems give to whoever connects: one of them may be somebody's by the time a server starts (again). */
const PORTS = { first: 20_000, count: 10_000 };

function freePort(): number {
  for (let tried = 1;; tried++) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (tried === 100) throw error;
    }
  }
}

/** PostgreSQL refuses to run as root, MariaDB warns: both run as their own users there. */
function asUser(user: string, command: string, args: readonly string[]): Deno.Command {
  if (Deno.uid() !== 0) return new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" });
  return new Deno.Command("setpriv", {
    args: [`--reuid=${user}`, `--regid=${user}`, "--clear-groups", command, ...args],
    stdout: "null",
    stderr: "null",
    cwd: "/tmp",
  });
}

async function must(command: Deno.Command, what: string): Promise<void> {
  const { success } = await command.output();
  if (!success) throw new Error(`${what} failed`);
}

/** A process that is started, killed and started again. */
class Process {
  #child: Deno.ChildProcess | undefined;

  constructor(
    readonly folder: string,
    readonly command: () => Deno.Command,
    readonly isReady: () => Promise<unknown>,
    readonly signal: Deno.Signal,
  ) {}

  async start(): Promise<void> {
    const child = this.#child = this.command().spawn();
    let code: number | undefined;
    child.status.then((status) => code = status.code);
    const deadline = Date.now() + START_MS;
    for (;;) {
      try {
        return void await this.isReady();
      } catch (error) {
        if (code !== undefined) throw new Error(`the server ended with code ${code} before it answered`);
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** With all the processes that it has started. */
  freeze(isFrozen: boolean): void {
    const { pid } = this.#child!;
    for (const one of [pid, ...childrenOf(pid)]) Deno.kill(one, isFrozen ? "SIGSTOP" : "SIGCONT");
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    child.kill(this.signal);
    await child.status;
  }

  async remove(): Promise<void> {
    await this.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

function childrenOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return text.split(" ").filter((one) => one !== "").map(Number);
}

/** A folder whose owner is another user. */
async function folderFor(user: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "runevault-db-" });
  await Deno.chmod(folder, 0o755);
  if (Deno.uid() === 0) await must(new Deno.Command("chown", { args: [user, folder] }), "chown");
  return folder;
}

/** What servers may be. */
export interface ServerOptions {
  /** Whether it speaks TLS. */
  readonly hasTls?: boolean;
  /** PostgreSQL: whether what it answered survives a power cut, as in earnest; tests do without. */
  readonly isDurable?: boolean;
}

/** A certificate that the server's user may read. */
async function certificateFor(user: string, folder: string): Promise<ServerCertificate> {
  const certificate = await makeCertificate(folder);
  // Both: under a umask that another test has set, whoever doesn't own the certificate can't read it either.
  const own = [`${folder}/server.key`, `${folder}/server.pem`];
  if (Deno.uid() === 0) await must(new Deno.Command("chown", { args: [user, ...own] }), "chown");
  return certificate;
}

/** Starts MariaDB without its anonymous accounts. */
export async function startMariaDb({ hasTls = false }: ServerOptions = {}): Promise<TestServer> {
  const folder = await folderFor("mysql");
  const port = freePort();
  const data = `${folder}/data`;
  const options = ["--no-defaults", `--datadir=${data}`];
  const install = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
  await must(asUser("mysql", "mariadb-install-db", [...options, ...install]), "mariadb-install-db");
  const socket = `${folder}/sock`;
  const more = [`--port=${port}`, "--bind-address=127.0.0.1", `--socket=${socket}`, `--pid-file=${folder}/pid`];
  const admin = () => mysql.createConnection({ host: "127.0.0.1", port, user: "root", connectTimeout: 5000 });
  const query = async (sql: string) => {
    const connection = await admin();
    try {
      const [rows] = await connection.query(sql);
      return (Array.isArray(rows) ? rows : []) as Record<string, unknown>[];
    } finally {
      await connection.end();
    }
  };
  const certificate = hasTls ? await certificateFor("mysql", folder) : undefined;
  const tls = hasTls ? [`--ssl-cert=${folder}/server.pem`, `--ssl-key=${folder}/server.key`] : [];
  const command = () => asUser("mysql", "/usr/sbin/mariadbd", [...options, ...more, ...tls, "--skip-name-resolve"]);
  const server = new Process(folder, command, () => query("SELECT 1"), "SIGKILL");
  await server.start();
  await query("DELETE FROM mysql.global_priv WHERE User = ''");
  await query("FLUSH PRIVILEGES");
  await query("CREATE DATABASE app");
  await query("CREATE TABLE app.notes (text VARCHAR(100))");
  await query(`CREATE USER '${VAULT_USER}'@'%' IDENTIFIED BY '${VAULT_PASSWORD}'`);
  await query(`GRANT CREATE USER, PROCESS, CONNECTION ADMIN, RELOAD ON *.* TO '${VAULT_USER}'@'%'`);
  await query(`GRANT SELECT, INSERT ON app.* TO '${VAULT_USER}'@'%' WITH GRANT OPTION`);
  await query(`GRANT SELECT ON mysql.* TO '${VAULT_USER}'@'%'`);
  const connect = (user: string, password: string) =>
    mysql.createConnection({ host: "127.0.0.1", port, user, password, connectTimeout: 5000 });
  const runAs = async (user: string, password: string, sql: string) => {
    const connection = await connect(user, password);
    await connection.query(sql);
    await connection.end();
  };
  return {
    kind: "mysql",
    pluginName: "mysql-database-plugin",
    certificate,
    port,
    url: `{{username}}:{{password}}@tcp(127.0.0.1:${port})/`,
    creation: [
      "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON app.* TO '{{name}}'@'%'",
    ],
    revocation: ["DROP USER '{{name}}'@'%'"],
    dropByHand: async (username) => void await query(`DROP USER '${username}'@'%'`),
    admin: query,
    asVault: (sql) => runAs(VAULT_USER, VAULT_PASSWORD, sql),
    runAs,
    freeze: (isFrozen) => server.freeze(isFrozen),
    logsIn: async (user, password) => {
      try {
        const connection = await connect(user, password);
        await connection.query("SELECT * FROM app.notes");
        await connection.end();
        return true;
      } catch {
        return false;
      }
    },
    session: async (user, password) => {
      const connection = await connect(user, password);
      connection.on("error", () => {});
      return () => connection.query("SELECT 1").then(() => true, () => false);
    },
    accounts: async (prefix) => {
      const rows = await query(`SELECT User AS name FROM mysql.user WHERE User LIKE '${prefix}%'`);
      return rows.map((row) => String(row["name"])).sort();
    },
    stop: () => server.stop(),
    start: () => server.start(),
    [Symbol.asyncDispose]: () => server.remove(),
  };
}

/** Starts PostgreSQL with scram passwords. */
export async function startPostgres({ isDurable = false, hasTls = false }: ServerOptions = {}): Promise<TestServer> {
  const bin = (await postgresBin())!;
  const folder = await folderFor("postgres");
  const port = freePort();
  const data = `${folder}/data`;
  const password = "admin-of-the-server";
  await Deno.writeTextFile(`${folder}/pw`, password);
  await Deno.chmod(`${folder}/pw`, 0o644);
  const init = ["-D", data, "-U", "admin", "-A", "scram-sha-256", `--pwfile=${folder}/pw`, "-E", "UTF8", "--no-sync"];
  await must(asUser("postgres", `${bin}/initdb`, [...init, "--locale=C"]), "initdb");
  const settings = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", folder, ...(isDurable ? [] : ["-F"])];
  const connect = (user: string, secret: string, database = "app") =>
    postgres({
      host: "127.0.0.1",
      port,
      user,
      password: secret,
      database,
      max: 1,
      ssl: false,
      connect_timeout: 5,
      // A connection that ends while types are fetched is made anew for ever.
      fetch_types: false,
      onnotice: () => {},
    });
  const queryIn = async (database: string, sql: string) => {
    const client = connect("admin", password, database);
    try {
      return [...await client.unsafe(sql)] as Record<string, unknown>[];
    } finally {
      await client.end({ timeout: 1 });
    }
  };
  const certificate = hasTls ? await certificateFor("postgres", folder) : undefined;
  const files = [`ssl_cert_file=${folder}/server.pem`, `ssl_key_file=${folder}/server.key`];
  const tls = hasTls ? ["ssl=on", ...files].flatMap((one) => ["-c", one]) : [];
  const command = () => asUser("postgres", `${bin}/postgres`, [...settings, ...tls, "-c", "max_connections=300"]);
  const server = new Process(folder, command, () => queryIn("postgres", "SELECT 1"), "SIGQUIT");
  await server.start();
  await queryIn("postgres", "CREATE DATABASE app");
  const query = (sql: string) => queryIn("app", sql);
  await query("CREATE TABLE notes (text VARCHAR(100))");
  await query(`CREATE ROLE ${VAULT_USER} LOGIN CREATEROLE PASSWORD '${VAULT_PASSWORD}'`);
  await query(`GRANT pg_signal_backend TO ${VAULT_USER}`);
  await query(`GRANT SELECT ON notes TO ${VAULT_USER} WITH GRANT OPTION`);
  await query(`GRANT CONNECT ON DATABASE app TO ${VAULT_USER} WITH GRANT OPTION`);
  const runAs = async (user: string, secret: string, sql: string) => {
    const client = connect(user, secret);
    await client.unsafe(sql);
    await client.end({ timeout: 1 });
  };
  const asVault = (sql: string) => runAs(VAULT_USER, VAULT_PASSWORD, sql);
  return {
    kind: "postgresql",
    pluginName: "postgresql-database-plugin",
    certificate,
    port,
    url: `postgresql://{{username}}:{{password}}@127.0.0.1:${port}/app?sslmode=disable`,
    creation: [
      `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; GRANT SELECT ON notes TO "{{name}}"`,
    ],
    revocation: ['REVOKE ALL ON notes FROM "{{name}}"; DROP ROLE "{{name}}"'],
    // By whoever granted: nobody else's REVOKE takes the grant away.
    dropByHand: (username) => asVault(`REVOKE ALL ON notes FROM "${username}"; DROP ROLE "${username}"`),
    admin: query,
    asVault,
    runAs,
    freeze: (isFrozen) => server.freeze(isFrozen),
    logsIn: async (user, secret) => {
      const client = connect(user, secret);
      try {
        await client.unsafe("SELECT * FROM notes");
        return true;
      } catch {
        return false;
      } finally {
        await client.end({ timeout: 1 });
      }
    },
    session: async (user, secret) => {
      const client = connect(user, secret);
      const [backend] = await client.unsafe("SELECT pg_backend_pid() AS pid");
      // Asked of the server, for the client would connect anew; by its number, for a role that is gone has no name there.
      const backends = `SELECT 1 FROM pg_stat_activity WHERE pid = ${backend!["pid"]}`;
      return async () => {
        const isThere = (await query(backends)).length > 0;
        if (!isThere) await client.end({ timeout: 1 });
        return isThere;
      };
    },
    accounts: async (prefix) => {
      const rows = await query(`SELECT rolname AS name FROM pg_roles WHERE rolname LIKE '${prefix}%'`);
      return rows.map((row) => String(row["name"])).sort();
    },
    stop: () => server.stop(),
    start: () => server.start(),
    [Symbol.asyncDispose]: () => server.remove(),
  };
}
