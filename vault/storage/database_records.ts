/**
 * What is stored of the database engine. All times are milliseconds since 1970, all durations seconds.
 *
 * @module
 */

/** One connection. Key: mount accessor + `/` + name. */
export interface DatabaseConnectionRecord {
  readonly mountAccessor: string;
  readonly name: string;
  readonly pluginName: string;
  readonly pluginVersion: string;
  readonly allowedRoles: readonly string[];
  readonly rootRotationStatements: readonly string[];
  readonly passwordPolicy: string;
  /** Base64 of nonce ‖ ciphertext ‖ tag: the connection's details as JSON, secrets and all. */
  readonly sealed: string;
  /** Sealed password that a rotation under way is setting; which of the two holds is tried out after a crash. */
  readonly sealedPending?: string;
}

/** One dynamic role. Key: mount accessor + `/` + name. */
export interface DatabaseRoleRecord {
  readonly mountAccessor: string;
  readonly name: string;
  readonly connection: string;
  readonly creation: readonly string[];
  readonly revocation: readonly string[];
  readonly rollback: readonly string[];
  readonly renewal: readonly string[];
  readonly defaultTtl: number;
  readonly maxTtl: number;
  /** Policy of the passwords; absent: that of the connection. */
  readonly passwordPolicy?: string;
  /** Whether it serves users by their own names; absent: where it is the mount's only role. */
  readonly userBound?: boolean;
}

/** One account whose password the vault keeps. Key: mount accessor + `/` + name. */
export interface DatabaseStaticRoleRecord {
  readonly mountAccessor: string;
  readonly name: string;
  readonly connection: string;
  readonly username: string;
  readonly rotation: readonly string[];
  readonly rotationPeriod: number;
  readonly passwordPolicy?: string;
  /** Sealed password; absent until the first rotation succeeded. */
  readonly sealed?: string;
  /** Sealed password that a rotation is setting, again and again until it succeeds. */
  readonly sealedPending?: string;
  readonly rotatedAt: number;
  /** When each entity first read the present password, in milliseconds since 1970; who has no entity isn't told of. */
  readonly knownTo?: Readonly<Record<string, number>>;
}

/** One account on a server, as long as somebody may use it. Key: the lease's id. */
export interface LeaseRecord {
  readonly id: string;
  readonly mountAccessor: string;
  /** The token that it dies with. */
  readonly tokenHash: string;
  /** Whose allowance it takes; empty where there is no entity. */
  readonly entityId: string;
  readonly role: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly renewedAt: number | null;
  /** No renewal goes beyond. */
  readonly maxExpiresAt: number;
  /** Seconds of a renewal that asks for none. */
  readonly defaultTtl: number;
  /** `live`: written before the account is made, so that whoever dies meanwhile leaves none without; `ending`: it is to go. */
  readonly state: "live" | "ending";
  readonly endingSince?: number;
  /** Nobody saw whether its account was made: the server may be about to make it still. */
  readonly isUncertain?: true;
  readonly failures?: number;
  /** Why the account isn't gone yet. */
  readonly lastError?: string;
  /** The account, with all that is needed to take it away, whatever becomes of the role. */
  readonly account: {
    readonly connection: string;
    /** Where the connection led. */
    readonly place: string;
    readonly username: string;
    /** Only what the name ends in is known, for it was set aside before anybody asked for an account. */
    readonly isNameEnd?: true;
    readonly revocation: readonly string[];
    readonly renewal: readonly string[];
  };
}

/**
 * What a name that is set aside ends in, as the lease that it becomes where nobody knows whether an account was made of that
 * name. Key: that end.
 */
export type SpareAccountRecord = LeaseRecord;

/** One password policy. Key: its name. */
export interface PasswordPolicyRecord {
  readonly name: string;
  readonly text: string;
}

/** The record type of each kind of the database engine. */
export interface DatabaseRecords {
  readonly database_connection: DatabaseConnectionRecord;
  readonly database_role: DatabaseRoleRecord;
  readonly database_static_role: DatabaseStaticRoleRecord;
  readonly lease: LeaseRecord;
  readonly spare_account: SpareAccountRecord;
  readonly password_policy: PasswordPolicyRecord;
}
