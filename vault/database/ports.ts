/**
 * What the database engine asks of a server. The drivers stand in `databases/`; tests use real servers.
 *
 * @module
 */

/** How a server is reached. Nothing of it may be logged. */
export interface ConnectionSettings {
  /** As the operator gave it, with `{{username}}` and `{{password}}` in it. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Connections at the same time. */
  readonly maxOpenConnections: number;
  /** Seconds that a connection may live; 0: as long as it holds. */
  readonly maxConnectionLifetime: number;
  /** PEM certificates that the server's must descend from; empty: the system's. */
  readonly tlsCa: string;
  /** PEM of a certificate and its key that the server asks for; empty: none. */
  readonly tlsCertificateKey: string;
  readonly tlsSkipVerify: boolean;
}

/** A server, with as many connections as are needed. Failures are the driver's errors, which may quote secrets. */
export interface DatabaseServer {
  /** Fails unless the server can be reached and lets us in. */
  ping(): Promise<void>;
  /** Runs statements in order, in one transaction where the server has them for such. */
  run(statements: readonly string[]): Promise<void>;
  /** Whether there is an account of this name; undefined where the right to look is missing. */
  hasAccount(username: string): Promise<boolean | undefined>;
  /**
   * Lets nobody in by an account any more, and ends the sessions that are.
   *
   * @returns Whether it could end them; false where the right to is missing.
   */
  endSessions(username: string): Promise<boolean>;
  /** Drops an account; one that isn't there is no error. What it owned goes to ours. */
  dropAccount(username: string): Promise<void>;
  /** Lets go of all connections. */
  close(): Promise<void>;
}

/** One kind of server. */
export interface DatabasePlugin {
  /** The names that clients know it by. */
  readonly names: readonly string[];
  /** Characters that a name of an account may have. */
  maxUsernameLength(pluginName: string): number;
  /** Template of an account's name. */
  usernameTemplate(pluginName: string): string;
  /** Statements that give an account another password. */
  readonly passwordRotation: readonly string[];
  /** Statements that let an account live longer; none: the server knows no such thing. */
  readonly renewal: readonly string[];
  /** What the message of a failed verification begins with. */
  readonly verifyPrefix: string;
  /**
   * Gets ready to reach a server; connects when it is first asked.
   *
   * @throws {VaultError} `invalid_argument` for a URL that can't be read.
   */
  open(settings: ConnectionSettings): DatabaseServer;
  /** Whether a URL has a password in it, which `{{password}}` should stand for. */
  hasPassword(url: string): boolean;
  /** A URL with the password in it as `xxxxx`. */
  withoutPassword(url: string): string;
  /** A driver's error in the words that clients look for. */
  messageOf(error: unknown): string;
}
