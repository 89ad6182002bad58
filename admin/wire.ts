/**
 * What the admin API says, as types: JSON names as they are on the wire. Routes make these, the CLI reads them.
 * Days are `YYYY-MM-DD` in UTC; moments are ISO 8601; null is "never" or "not yet".
 *
 * @module
 */

/** A row of `GET /tokens`. */
export interface TokenRow {
  readonly user: string;
  readonly role: string;
  readonly top_k: number;
  readonly rate_limit: string;
  /** The last day on which it works. */
  readonly expires: string | null;
}

/** `GET /tokens/:user`. */
export interface TokenDetail extends TokenRow {
  readonly issued_at: string | null;
  readonly agent_id: string;
  readonly secret_version: number;
  /** Until when the token before this one still works, after a rotation with a grace. */
  readonly grace_until: string | null;
}

/** `POST /tokens` and `POST /tokens/:user/rotate`: the only answers with a usable token. */
export interface IssuedTokenBody extends TokenDetail {
  readonly token: string;
  /** The older name of `issued_at`. */
  readonly created: string | null;
}

/** `DELETE /tokens/:user`. */
export interface RevokedTokenBody {
  readonly message: string;
  readonly user: string;
  /** Whether the user can still log in by a password and get new tokens. */
  readonly login_open: boolean;
  /** What the revocation can't take back, each with its remedy. */
  readonly warnings: readonly string[];
}

/** A role, on every route that shows one. */
export interface RoleRow {
  readonly name: string;
  readonly scope: readonly string[];
  readonly top_k: number;
  readonly rate_limit: string;
  /** Policies on the identity API; absent: none but `default`. */
  readonly policies?: readonly string[];
  /** `refuse`: no envelope opens whose author was cut off; absent: they open. */
  readonly cutoff_envelopes?: string;
}

/** One way in by name and password. */
export interface LoginRow {
  /** Such as `auth/userpass/`. */
  readonly mount_path: string;
  readonly username: string;
  readonly policies: readonly string[];
  readonly locked: boolean;
}

/** An operator of the vault. */
export interface OperatorRow {
  readonly name: string;
  /** `read`, `tokens` or `all`. */
  readonly scope: string;
  readonly created_at: string;
  readonly rotated_at: string | null;
}

/** `POST /operators` and `POST /operators/:name/rotate`: the only answers with a usable token. */
export interface NewOperatorBody extends OperatorRow {
  readonly token: string;
}

/** A root token of the identity API. */
export interface RootTokenRow {
  readonly accessor: string;
  readonly created_at: string;
  readonly expires_at: string | null;
}

/** `POST /root-tokens`: the only answer with a usable root token. */
export interface NewRootTokenBody extends RootTokenRow {
  readonly token: string;
}

/** A user, on every route that shows one. */
export interface UserRow {
  readonly name: string;
  readonly entity_id: string;
  readonly disabled: boolean;
  readonly created_at: string;
  readonly epoch: number;
  readonly token: TokenDetail | null;
  /** When a data key of theirs first left the vault. */
  readonly agent_key_left_at: string | null;
  /** When the shared index key first left to them. */
  readonly index_key_left_at: string | null;
  /** Score rows they ever received; past 250 the FHE key must be taken as known to them. */
  readonly score_rows: number;
  /** Since when and why they are cut off; null: they aren't. */
  readonly cut_off: { readonly at: string; readonly reason: string | null } | null;
  /** What ending their access can't take back, each with its remedy. */
  readonly warnings: readonly string[];
  /** Their logins on the identity API; only on routes of one user. */
  readonly logins?: readonly LoginRow[];
}

/** `POST /users`: a login was made. */
export interface CreatedUserBody {
  readonly message: string;
  readonly user: string;
  /** What may be a mistake, such as a policy that isn't there. */
  readonly warnings: readonly string[];
}

/** `POST /users/:name/cutoff` and `GET`: what was ended, what waits, what can't be taken back. */
export interface CutOffBody {
  readonly user: string;
  readonly entity_id: string;
  /** Since when they are cut off. */
  readonly at: string;
  readonly reason?: string;
  readonly ended: {
    readonly evt_tokens: number;
    readonly service_tokens: number;
    readonly wrapped_answers: number;
    readonly leases: number;
  };
  readonly blocked_logins: readonly string[];
  /** Logins of the same name that lead to somebody else. */
  readonly open_namesakes: readonly string[];
  /** The operator of the same name, whose token works on; null where there is none. */
  readonly open_operator: string | null;
  readonly pending: readonly PendingRow[];
  readonly held: readonly HeldRow[];
}

/** An account elsewhere that isn't gone yet. */
export interface PendingRow {
  readonly lease_id: string;
  readonly account: string;
  readonly since: string;
  readonly reason: string | null;
}

/** Something that can't be taken back. */
export interface HeldRow {
  readonly what: string;
  /** Where a database password is read. */
  readonly path?: string;
  readonly since: string | null;
  readonly rows?: number;
  readonly remedy: string;
}

/** A version of the team secret, without the secret. */
export interface SecretRow {
  readonly version: number;
  readonly state: string;
  readonly created_at: string;
  readonly fingerprint: string;
  readonly live_tokens: number;
}

/** An FHE key set, without its secret key. */
export interface KeySetRow {
  readonly key_id: string;
  readonly dimension: number;
  /** Whether bundles hand it out; the others only decrypt. */
  readonly active: boolean;
  readonly created_at: string;
  readonly expires_at: string;
  readonly added_at: string;
  /** Base64 of the SHA-256 of each raw key. */
  readonly secret_key_sha256: string;
  readonly encryption_key_sha256: string;
  readonly evaluation_key_sha256: string | null;
}

/** `POST /keys/:id/export`: the texts of the plain key files. */
export interface ExportedKeysBody {
  readonly sec_key: string;
  readonly enc_key: string;
  readonly eval_key: string | null;
}

/** One of the two YAML files. */
export interface FileRow {
  readonly name: string;
  readonly path: string;
  readonly generation: number;
  readonly state: string;
  readonly reason: string | null;
}

/** One difference between an edited file and the vault's own state. */
export interface FileDifferenceRow {
  readonly row: string;
  readonly change: string;
  readonly detail: string;
}

/** `GET /files/:name/diff` and `POST /files/:name/take`. */
export interface FileDifferencesBody {
  readonly name: string;
  readonly differences: readonly FileDifferenceRow[];
}

/** `POST /rewrap`. */
export interface RewrappedBody {
  readonly envelopes: readonly string[];
}

/** TLS of the gRPC listener; `ca_sha256` is what clients pin, null where the operator brought the certificate. */
export interface TlsStatus {
  readonly mode: string;
  readonly ca_sha256: string | null;
  readonly ca_path: string | null;
}

/** `POST /tls/renew`. */
export interface RenewedTlsBody {
  readonly message: string;
}

/** `GET /status`. */
export interface StatusReport {
  readonly version: string;
  /** Such as `deno 2.8.3`. */
  readonly runtime: string;
  readonly pid: number;
  readonly started_at: string;
  readonly uptime_seconds: number;
  readonly health: "healthy" | "degraded" | "unhealthy";
  /** Why it is not healthy. */
  readonly reasons: readonly string[];
  readonly users: number;
  readonly tokens: number;
  readonly roles: number;
  readonly secret_version: number;
  /** What is done with version-1 envelopes. */
  readonly envelope_v1: string;
  readonly addresses: AddressesBody;
  readonly files: readonly FileRow[];
  readonly fhe_key_id: string | null;
  readonly tls: TlsStatus | null;
}

/** Where the listeners are; null is off. */
export interface AddressesBody {
  readonly grpc: string | null;
  readonly api: string | null;
  readonly admin: string | null;
  readonly admin_socket: string | null;
  readonly metrics: string | null;
}

/** `POST /backups`: what `POST /backups/:id/fetch` then hands out, once and within a minute. */
export interface BackupBody {
  readonly id: string;
  /** Of the archive, before it is encrypted. */
  readonly bytes: number;
  readonly created_at: string;
  /** The version of the store's schema. */
  readonly schema: number;
  /** The number of changes that the store in it has seen. */
  readonly sequence: number;
  /** How many files are in it. */
  readonly parts: number;
  /** Files that were left out, each with the reason. */
  readonly left_out: readonly string[];
}

/** `GET /clock` and `POST /clock/accept`. */
export interface ClockBody {
  /** `doubted`: what expires is refused and not ended. */
  readonly state: "trusted" | "doubted";
  /** Why it is doubted; null while it is trusted. */
  readonly reason: string | null;
}

/** `GET /audit/head`. */
export interface AuditHeadBody {
  /** Number of the trail's last entry. */
  readonly sequence: number;
  /** SHA-256 of its line, hex. */
  readonly hash: string;
  /** The present audit file. */
  readonly path: string;
}

/** How often something was done. */
export interface TallyRow {
  readonly allowed: number;
  readonly refused: number;
  readonly last: string;
}

/** `GET /audit/report`. */
export interface AuditReportBody {
  readonly entries: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly operations: readonly (TallyRow & { readonly operation: string })[];
  readonly envelopes: readonly {
    readonly agent_id: string;
    readonly user: string | null;
    readonly envelopes: number;
  }[];
  readonly score_rows: number;
  readonly databases: readonly (TallyRow & { readonly path: string })[];
  readonly addresses: readonly (TallyRow & { readonly remote_address: string })[];
  readonly sessions: readonly (TallyRow & { readonly session_id: string })[];
}
