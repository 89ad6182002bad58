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
  /** How passwords stand in statements, where the server can be given them otherwise than as they are. */
  readonly passwordAuthentication: "password" | "scram-sha-256";
}

/** How an account ended. */
export interface EndedAccount {
  /** False: there was none of this name. */
  readonly wasThere: boolean;
  /** False: the right to end its sessions is missing. */
  readonly hasEndedSessions: boolean;
}

/** A server, with as many connections as are needed. Failures are the driver's errors, which may quote secrets. */
export interface DatabaseServer {
  /** Fails unless the server can be reached and lets us in. */
  ping(): Promise<void>;
  /** Runs statements in order, in one transaction where the server has them for such. */
  run(statements: readonly string[]): Promise<void>;
  /** Whether there is an account of this name; undefined where the right to look is missing. */
  hasAccount(username: string): Promise<boolean | undefined>;
  /** The names of accounts that end so; undefined where the right to look is missing. */
  accountsEnding(end: string): Promise<readonly string[] | undefined>;
  /**
   * Lets nobody in by an account any more, ends the sessions that are, and takes it away: by statements, or, where there are
   * none, by dropping it; what it owned goes to our own account then. Of an account that isn't there nothing is asked.
   */
  end(username: string, statements: readonly string[]): Promise<EndedAccount>;
  /** Lets go of all connections. */
  close(): Promise<void>;
}

/** Where a URL leads, and as whom. */
export interface ConnectionTarget {
  /** Servers, as `host:port` or the path of a socket, in the order in which they are tried. */
  readonly place: string;
  readonly user: string;
  readonly password: string;
}

/** One kind of server. */
export interface DatabasePlugin {
  /** The names that clients know it by. */
  readonly names: readonly string[];
  /** Characters that a name of an account may have. */
  maxUsernameLength(pluginName: string): number;
  /** The name of an account is `v-`, so many characters of the user's at most, `-`, and so many random ones. */
  usernameParts(pluginName: string): { readonly user: number; readonly random: number };
  /** Statements that give an account another password. */
  readonly passwordRotation: readonly string[];
  /** Statements that let an account live longer; none: the server knows no such thing. */
  readonly renewal: readonly string[];
  /** A password as it stands in statements. */
  passwordInSql(password: string, settings: ConnectionSettings): string | Promise<string>;
  /** What the message of a failed verification begins with. */
  readonly verifyPrefix: string;
  /**
   * Gets ready to reach a server; connects when it is first asked.
   *
   * @throws {VaultError} `invalid_argument` for a URL that can't be read.
   */
  open(settings: ConnectionSettings): DatabaseServer;
  /** Reads a URL; `invalid_argument` for one that can't be. */
  targetOf(settings: ConnectionSettings): ConnectionTarget;
  /** Passwords that stand in a URL, as they are written there; `{{password}}` is none. */
  passwordsIn(url: string): readonly string[];
  /** A URL with the passwords in it as `xxxxx`. */
  withoutPasswords(url: string): string;
  /** Whether the server said an error, or was never reached; else nobody knows what it did, or will do. */
  isCertain(error: unknown): boolean;
  /** A driver's error in the words that clients look for. */
  messageOf(error: unknown): string;
}
