/**
 * Accounts on a MySQL server: how they are found, and how they end.
 *
 * @module
 */

import type { EndedAccount } from "../vault/database/ports.ts";
import { isAnswer, numberOf, type Row, runAll, type Session } from "./mysql_session.ts";

/** Not allowed to look into `mysql.user`, or to lock accounts. */
const NO_RIGHT = new Set([1044, 1142, 1227, 1370]);
const NO_SUCH_THREAD = 1094;
const SYNTAX_ERROR = 1064;
const NO_SUCH_ACCOUNT = 1396;
const HOSTS = "SELECT Host AS host FROM mysql.user WHERE User = ?";
const ENDING = "SELECT DISTINCT User AS name FROM mysql.user WHERE RIGHT(User, ?) = ?";
const SEES_SESSIONS = /^GRANT [A-Z ,]*\b(?:PROCESS|ALL PRIVILEGES)\b[A-Z ,]* ON \*\.\* TO /;
/** MariaDB's own; MySQL ends sessions by their numbers alone. */
const END_SESSIONS = "KILL CONNECTION USER ?";
const SESSIONS = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = ?";

/** What is known of our rights on a server. */
export interface SeenRights {
  /** Whether our account sees everybody's sessions; asked once. */
  seesSessions?: boolean;
  /** Whether {@link END_SESSIONS} and all around it has failed. */
  dropsInSteps?: boolean;
}

/** Locks an account, ends its sessions, and takes it away: by statements, or where there are none by dropping it. */
export async function endAccount(
  session: Session,
  username: string,
  statements: readonly string[],
  rights: SeenRights,
): Promise<EndedAccount> {
  if (statements.length === 0 && await dropAtOnce(session, username, rights)) {
    return { wasThere: true, hasEndedSessions: true };
  }
  const locked = await lockAtOnce(session, username, rights) ?? await lockOut(session, username, rights);
  if (locked === undefined) return { wasThere: false, hasEndedSessions: true };
  let hasEndedSessions = locked.sessions !== undefined;
  for (const { id } of locked.sessions ?? []) {
    hasEndedSessions = await kill(session, Number(id)) && hasEndedSessions;
  }
  if (statements.length > 0) await runAll(session, statements);
  else await session.query(`DROP USER IF EXISTS ${locked.names}`, locked.values);
  return { wasThere: true, hasEndedSessions };
}

/** The names of accounts that end so; undefined where the right to look is missing. */
export function accountsEnding(session: Session, end: string): Promise<readonly string[] | undefined> {
  return whereAllowed(async () => {
    const rows = await session.query(ENDING, [end.length, end]);
    return rows.map(({ name }) => String(name));
  });
}

/**
 * Looks for an account, locks it, ends its sessions and drops it in one message, taking it to be where accounts are made by
 * default. What the server refuses, as it does an end of sessions that we have no right to, it refuses before the drop.
 *
 * @returns Whether that was all of it; false: what is left of it is to be done step by step.
 */
async function dropAtOnce(session: Session, username: string, rights: SeenRights): Promise<boolean> {
  // Who doesn't see sessions is told that they have ended.
  if (!rights.seesSessions || rights.dropsInSteps) return false;
  const { names, values } = accountAt(username, ["%"]);
  const statements = [HOSTS, lockOfAny(names), END_SESSIONS, `DROP USER IF EXISTS ${names}`];
  try {
    const [hosts] = await session.queryAll(statements, [username, ...values, username, ...values]);
    return isDefault(hosts!);
  } catch (error) {
    if (!isAnswer(error)) throw error;
    rights.dropsInSteps = true;
    return false;
  }
}

/**
 * Looks for an account, locks it and asks for its sessions in one message, taking it to be where accounts are made by
 * default; undefined where it isn't, and where the server or our rights don't allow that.
 */
async function lockAtOnce(
  session: Session,
  username: string,
  { seesSessions }: SeenRights,
): Promise<LockedAccount | undefined> {
  if (!seesSessions) return undefined;
  const account = accountAt(username, ["%"]);
  const values = [username, ...account.values, username];
  try {
    const [hosts, , sessions] = await session.queryAll([HOSTS, lockOfAny(account.names), SESSIONS], values);
    return isDefault(hosts!) ? { ...account, sessions: sessions! } : undefined;
  } catch (error) {
    if (!isUnlockable(error)) throw error;
    return undefined;
  }
}

/** The same in as many messages as it takes; undefined where there is no such account. */
async function lockOut(session: Session, username: string, rights: SeenRights): Promise<LockedAccount | undefined> {
  // Where we may not look, it is taken to be where accounts are made by default.
  const hosts = await hostsOf(session, username) ?? ["%"];
  if (hosts.length === 0) return undefined;
  const account = accountAt(username, hosts);
  rights.seesSessions ??= await maySeeSessions(session);
  if (rights.seesSessions) {
    return { ...account, sessions: await lockedSessions(session, username, account) };
  }
  await lock(session, account);
  return { ...account, sessions: undefined };
}

/** The hosts that an account may come from; undefined where the right to look is missing. */
export function hostsOf(session: Session, username: string): Promise<string[] | undefined> {
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

/** Does nothing to an account that isn't there. */
function lockOfAny(names: string): string {
  return `ALTER USER IF EXISTS ${names} ACCOUNT LOCK`;
}

/** Whether an account is where accounts are made by default, and nowhere else. */
function isDefault(hosts: readonly Row[]): boolean {
  return hosts.length === 1 && hosts[0]!["host"] === "%";
}

function lockOf({ names }: Account): string {
  return `ALTER USER ${names} ACCOUNT LOCK`;
}

/** Servers before MySQL 5.7 and MariaDB 10.4 know no locks; what follows drops the account all the same. */
function isUnlockable(error: unknown): boolean {
  return [SYNTAX_ERROR, NO_SUCH_ACCOUNT, ...NO_RIGHT].includes(numberOf(error));
}

/** By our own rights: the table of rights shows those of others as well to whoever may read `mysql`. */
async function maySeeSessions(session: Session): Promise<boolean> {
  const rows = await session.query("SHOW GRANTS");
  return rows.some((row) => SEES_SESSIONS.test(String(Object.values(row)[0])));
}

async function kill(session: Session, id: number): Promise<boolean> {
  try {
    await session.query("KILL CONNECTION ?", [id]);
    return true;
  } catch (error) {
    return numberOf(error) === NO_SUCH_THREAD;
  }
}
