/**
 * What is stored: one record type a kind, as plain JSON. `docs/storage_schema.md` describes each field for operators.
 *
 * @module
 */

import type { RateLimit } from "../roles/rate_limit.ts";
import type { Scope } from "../roles/scope.ts";
import type { DatabaseRecords } from "./database_records.ts";
import type { IdentityRecords, MetadataEntry } from "./identity_records.ts";

/** One person or agent: the entity that tokens, keys and trails hang off. Key: `entityId`. */
export interface UserRecord {
  readonly entityId: string;
  readonly name: string;
  /** Raised to end everything the entity ever caused; a credential counts only with the epoch of its making. */
  readonly epoch: number;
  readonly disabled: boolean;
  readonly createdAt: number;
  /** When a data key of this user first left the vault, in a bundle; absent while none has. */
  readonly agentKeyLeftAt?: number;
  /** When the shared index key first left to this user. */
  readonly indexKeyLeftAt?: number;
  /** Score rows this user ever received; past some hundreds the FHE key must be taken as known to them. */
  readonly scoreRows?: number;
  /**
   * False for an entity that only the identity API knows (made by a login, or by a write to `identity/entity`): it has
   * no evt token and doesn't hold its name among the users. Absent: a user.
   */
  readonly isUser?: false;
  /** The entity's name where it isn't {@link name}; unique after case folding among entities. */
  readonly entityName?: string;
  readonly metadata?: Readonly<Record<string, MetadataEntry>>;
  readonly policies?: readonly string[];
  /** Milliseconds; absent: {@link createdAt}. */
  readonly updatedAt?: number;
  /** Counts writes of the entity, for check-and-set; absent: 1. */
  readonly version?: number;
  /** Entities that were merged into this one. */
  readonly mergedEntityIds?: readonly string[];
  /** Set on an entity that was merged away: the one that took its credentials over. */
  readonly mergedInto?: string;
  /** Set while the user is cut off; {@link disabled} is true as long. */
  readonly cutOff?: CutOffRecord;
  /** Set on a deleted entity: its tombstone. The name then means a new entity. */
  readonly deletedAt?: number;
}

/** When and why a user was cut off. */
export interface CutOffRecord {
  readonly at: number;
  /** What the operator said of it. */
  readonly reason?: string;
  /** Set where they were disabled before, and are again once they are restored. */
  readonly wasDisabled?: true;
}

/** Why a user token stopped being live. */
export type TokenEnd = "revoked" | "rotated" | "expired";

/**
 * One user token, live or dead, without the token itself. Key: `tokenHash`. Dead ones are kept for ever: they are
 * the tombstones that no file lifts, and they remember which team-secret version their envelopes were made under.
 */
export interface UserTokenRecord {
  /** SHA-256 of the token as UTF-8, 64 lower-case hex digits; the first 32 are the agent id. */
  readonly tokenHash: string;
  readonly entityId: string;
  readonly epoch: number;
  readonly role: string;
  readonly secretVersion: number;
  /** Null where an old file did not say. */
  readonly issuedAt: number | null;
  /** First millisecond at which the token is dead; null: never. */
  readonly expiresAt: number | null;
  /** Set when rotated with a grace: the old token lives until then. */
  readonly graceUntil?: number;
  readonly ended?: TokenEnd;
  readonly endedAt?: number;
  /** The `session_id` that it last wrote to its own entity. */
  readonly sessionId?: string;
}

/** A role. Key: its name. */
export interface RoleRecord {
  readonly name: string;
  /** Policies that evt tokens of this role carry on the identity API; absent: none but `default`. */
  readonly policies?: readonly string[];
  readonly scope: readonly Scope[];
  readonly topK: number;
  readonly rateLimit: RateLimit;
  /** What becomes of envelopes whose author was cut off; absent: they open. */
  readonly cutoffEnvelopes?: "refuse";
}

/** Whether a team-secret version seals, only opens, or does neither. */
export type SecretState = "active" | "open-only" | "retired";

/** One version of the team secret, sealed. Key: the version in decimal. */
export interface SecretVersionRecord {
  readonly version: number;
  readonly state: SecretState;
  readonly createdAt: number;
  /** Base64 of nonce ‖ ciphertext ‖ tag under the seal key. */
  readonly sealed: string;
  /** Keyed fingerprint that tells versions apart without helping a guesser. */
  readonly fingerprint: string;
}

/** What the vault last wrote to one of its two YAML files. Key: `roles` or `tokens`. */
export interface FileRecord {
  readonly generation: number;
  /** SHA-256 of the text of `generation`, hex; committed before the file is renamed into place. */
  readonly digest: string;
  /** Digest of the text before it: a crash between commit and rename leaves that one on disk. */
  readonly previousDigest: string;
  /** Whether rows changed after `generation` was written. */
  readonly dirty: boolean;
}

/** The generation at which a row of a YAML file last changed. Key: `roles/<name>` or `tokens/<user>`. */
export interface FileChangeRecord {
  readonly generation: number;
}

/** Single facts. Keys: `seal_check`, `first_user_at`. */
export interface MetaRecord {
  readonly value: string | number;
}

/** One FHE key set; its files lie in `keys/<key id>/`, the secret one sealed. Key: the key id. */
export interface FheKeyRecord {
  readonly keyId: string;
  /** Dimension of the indexes under it. */
  readonly dimension: number;
  /** As the key files say. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** When this vault got it. */
  readonly addedAt: number;
  /** Whether bundles hand it out; the others only decrypt. */
  readonly active: boolean;
  /** SHA-256 of the raw keys, base64, as their files say. */
  readonly secretKeySha256: string;
  readonly encryptionKeySha256: string;
  readonly evaluationKeySha256: string | null;
}

/** What an operator may do: look; manage tokens and users; everything. */
export type OperatorScope = "read" | "tokens" | "all";

/** One operator of the vault, without their token. Key: the name, lower case. */
export interface OperatorRecord {
  readonly name: string;
  readonly scope: OperatorScope;
  /** SHA-256 of the token as UTF-8, 64 lower-case hex digits. */
  readonly tokenHash: string;
  readonly createdAt: number;
  /** When their token was last replaced. */
  readonly rotatedAt?: number;
}

/** Lines of the audit trail that the file may not have yet. Key: the number of the last of them, 16 digits. */
export interface AuditOutboxRecord {
  /** Each with its line break, as they stand in the file. */
  readonly lines: string;
}

/** A request that made a change and may make more: what its entry will say, were it never to end. Key: its id. */
export interface AuditOpenRecord {
  /** The entry so far, as a JSON object. */
  readonly entry: string;
  /** The last line that there was before it. */
  readonly after: number;
}

/** The end of the audit trail at the last change that put no lines into the outbox. Key: `head`. */
export interface AuditHeadRecord {
  readonly sequence: number;
  /** SHA-256 of that line, hex. */
  readonly hash: string;
}

/** The record type of each kind. */
export interface Records extends IdentityRecords, DatabaseRecords {
  readonly meta: MetaRecord;
  readonly secret: SecretVersionRecord;
  readonly role: RoleRecord;
  readonly operator: OperatorRecord;
  readonly user: UserRecord;
  readonly user_token: UserTokenRecord;
  readonly fhe_key: FheKeyRecord;
  readonly file: FileRecord;
  readonly file_change: FileChangeRecord;
  readonly audit_outbox: AuditOutboxRecord;
  readonly audit_open: AuditOpenRecord;
  readonly audit_head: AuditHeadRecord;
}

/** The name of a kind of record. */
export type RecordKind = keyof Records;
