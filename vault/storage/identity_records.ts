/**
 * What is stored for the identity API: one record type a kind, as plain JSON. All times are milliseconds since 1970;
 * all durations are seconds, as the API counts them. `docs/storage_schema.md` describes each field for operators.
 *
 * @module
 */

/** Anything JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One metadata value of an entity, and who set it. */
export interface MetadataEntry {
  readonly value: Json;
  /** The entity id of the one who set it; absent: an operator (a caller with `sudo`, the admin API, or no entity). */
  readonly by?: string;
}

/** Where a mount is: secrets engines stand at the root, auth methods under `auth/`. */
export type MountSection = "secret" | "auth";

/** How an auth mount locks out guessers; absent fields have the defaults of the API. */
export interface LockoutConfig {
  readonly threshold?: number;
  readonly durationSeconds?: number;
  readonly counterResetSeconds?: number;
  readonly disabled?: boolean;
}

/** One mount. Key: section + `/` + path, such as `auth/userpass/`. */
export interface MountRecord {
  readonly section: MountSection;
  /** With its slash at the end and without `auth/`: `userpass/`, `team/ldap/`, `database/`. */
  readonly path: string;
  readonly type: string;
  /** `<type>_%08x` for secrets engines, `auth_<type>_%08x` for auth methods; never reused. */
  readonly accessor: string;
  readonly uuid: string;
  readonly description: string;
  /** 0: the default of the system. */
  readonly defaultLeaseTtl: number;
  readonly maxLeaseTtl: number;
  readonly options: Readonly<Record<string, string>> | null;
  readonly listingVisibility: "" | "hidden" | "unauth";
  readonly lockout?: LockoutConfig;
  readonly createdAt: number;
  /** Set while a disable waits for what it could not end; its paths then answer 404. */
  readonly tainted?: true;
}

/** One policy. Key: its name, lower case. */
export interface PolicyRecord {
  readonly name: string;
  /** As it was given: HCL or JSON. */
  readonly text: string;
  readonly version: number;
  readonly updatedAt: number;
}

/** One alias: a name on one auth mount that stands for an entity. Key: `id`. */
export interface AliasRecord {
  readonly id: string;
  readonly entityId: string;
  readonly mountAccessor: string;
  readonly name: string;
  readonly customMetadata: Readonly<Record<string, string>>;
  /** The entity ids of those who set keys of it; an absent key: an operator. */
  readonly customMetadataBy?: Readonly<Record<string, string>>;
  /** Set by auth methods only. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly mergedFromEntityIds: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** One group of entities. Key: `id`. */
export interface GroupRecord {
  readonly id: string;
  readonly name: string;
  readonly type: "internal" | "external";
  readonly metadata: Readonly<Record<string, Json>>;
  /** The entity ids of those who set keys of it; an absent key: an operator. */
  readonly metadataBy?: Readonly<Record<string, string>>;
  readonly policies: readonly string[];
  readonly memberEntityIds: readonly string[];
  readonly memberGroupIds: readonly string[];
  readonly modifyIndex: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An address range that a token may be used from, in CIDR notation. */
export type Cidr = string;

/**
 * One token of the identity API, without the token itself. Key: `hash`. Its row goes when it ends: the token is random,
 * so nothing can bring it back.
 */
export interface ServiceTokenRecord {
  /** HMAC-SHA256 of the token under a key of the vault's, hex. */
  readonly hash: string;
  readonly accessor: string;
  /** Hash of the token that made it; null for orphans. */
  readonly parent: string | null;
  /** Agent id of the evt token in whose descent it stands; what that one causes dies with it (S7). */
  readonly evtAgentId?: string;
  readonly entityId: string;
  /** Epoch of {@link entityId} at the making; 0 where there is no entity. */
  readonly epoch: number;
  /** Of an orphan: who made it, so that it ends with them (S6). */
  readonly creator?: { readonly entityId: string; readonly epoch: number };
  /** `service`, or `wrapping` for a single-use token that holds a wrapped response. */
  readonly type: "service" | "wrapping";
  readonly policies: readonly string[];
  /** The request path that made it, such as `auth/userpass/login/alice`. */
  readonly path: string;
  /** Accessor of the auth mount that made it. */
  readonly mountAccessor: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  /** Uses left; 0: unlimited; -1: spent, about to go. */
  readonly numUses: number;
  readonly renewable: boolean;
  /** Seconds it was given at its making. */
  readonly creationTtl: number;
  /** Seconds granted last, at the making or at a renewal. */
  readonly ttl: number;
  readonly explicitMaxTtl: number;
  /** Seconds of each renewal of a periodic token; 0: not periodic. */
  readonly period: number;
  readonly createdAt: number;
  readonly renewedAt?: number;
  /** First millisecond at which it is dead; null: never. */
  readonly expiresAt: number | null;
  readonly boundCidrs: readonly Cidr[];
  /** Name of the token role. */
  readonly role?: string;
  /** What its making login knew, to be asked again at a renewal; such as the userpass user. */
  readonly login?: { readonly username: string };
  /** Of a wrapping token: the path of the request whose answer it holds. */
  readonly wrappedPath?: string;
  /** And the accessor of the token in that answer. */
  readonly wrappedAccessor?: string;
  /** The `session_id` that it last wrote to its own entity. */
  readonly sessionId?: string;
}

/** Parameters that a role or a login user gives to the tokens made by it. */
export interface TokenParams {
  readonly ttl: number;
  readonly maxTtl: number;
  readonly policies: readonly string[];
  readonly boundCidrs: readonly Cidr[];
  readonly explicitMaxTtl: number;
  readonly noDefaultPolicy: boolean;
  readonly numUses: number;
  readonly period: number;
  readonly type: "default" | "service" | "default-service";
}

/** One token role (`auth/token/roles/:name`). Key: its name. */
export interface TokenRoleRecord {
  readonly name: string;
  readonly allowedPolicies: readonly string[];
  readonly allowedPoliciesGlob: readonly string[];
  readonly disallowedPolicies: readonly string[];
  readonly disallowedPoliciesGlob: readonly string[];
  readonly orphan: boolean;
  readonly renewable: boolean;
  readonly pathSuffix: string;
  readonly allowedEntityAliases: readonly string[];
  readonly params: TokenParams;
}

/** One entry of a token's cubbyhole, or the response that a wrapping token holds. Key: token hash + `/` + path. */
export interface CubbyholeRecord {
  readonly tokenHash: string;
  /** Entity of the token, whose allowance it takes; empty where there is none. */
  readonly entityId: string;
  readonly path: string;
  /** Bytes of the JSON before it was sealed, and of the path. */
  readonly bytes: number;
  /** Base64 of nonce ‖ ciphertext ‖ tag of the JSON under the seal key. */
  readonly sealed: string;
}

/** One userpass user. Key: mount accessor + `/` + username. */
export interface UserpassRecord {
  readonly mountAccessor: string;
  /** Lower case. */
  readonly username: string;
  /** A password hash in PHC or modular crypt form: `$scrypt$…`, `$argon2id$…`, `$2b$…`. */
  readonly passwordHash: string;
  readonly passwordChangedAt: number;
  readonly params: TokenParams;
  readonly createdAt: number;
  /** HMACs of the addresses of logins that succeeded, with their last time; bounded (S13). */
  readonly knownAddresses?: readonly { readonly address: string; readonly at: number }[];
}

/** The algorithms of identity tokens (RFC 7518 §3.1, RFC 8037). */
export type SigningAlgorithm = "RS256" | "RS384" | "RS512" | "ES256" | "ES384" | "ES512" | "EdDSA";

/** One key pair of a named key. */
export interface OidcKeyPair {
  readonly kid: string;
  /** The public JWK as JSON (RFC 7517). */
  readonly publicJwk: Readonly<Record<string, string>>;
  /** Base64 of nonce ‖ ciphertext ‖ tag of the PKCS #8 private key; absent once retired. */
  readonly sealed?: string;
  readonly createdAt: number;
  /** First millisecond at which it no longer verifies; absent while it signs or waits to sign. */
  readonly expiresAt?: number;
}

/** One named key (`identity/oidc/key/:name`). Key: its name. */
export interface OidcKeyRecord {
  readonly name: string;
  readonly algorithm: SigningAlgorithm;
  readonly rotationPeriod: number;
  readonly verificationTtl: number;
  /** Absent: every role that names the key; `[]`: none; `*` in it: all. */
  readonly allowedClientIds?: readonly string[];
  readonly signing: OidcKeyPair;
  readonly next: OidcKeyPair;
  readonly retired: readonly OidcKeyPair[];
  readonly rotatesAt: number;
}

/** One role of identity tokens (`identity/oidc/role/:name`). Key: its name. */
export interface OidcRoleRecord {
  readonly name: string;
  readonly key: string;
  /** Decoded text; empty: no custom claims. */
  readonly template: string;
  readonly ttl: number;
  readonly clientId: string;
  /** Metadata keys that an entity may have set itself and that the template still renders (S12). */
  readonly selfAsserted: readonly string[];
  /** Names of claims that the caller may set per token. */
  readonly requestClaims: readonly string[];
}

/** One scope of the OIDC provider. Key: its name. */
export interface OidcScopeRecord {
  readonly name: string;
  readonly template: string;
  readonly description: string;
}

/** One client of the OIDC provider. Key: its name. */
export interface OidcClientRecord {
  readonly name: string;
  readonly clientId: string;
  readonly clientType: "confidential" | "public";
  /** Sealed client secret, base64; absent for public clients. */
  readonly sealedSecret?: string;
  readonly key: string;
  readonly redirectUris: readonly string[];
  readonly assignments: readonly string[];
  readonly idTokenTtl: number;
  readonly accessTokenTtl: number;
}

/** One assignment of the OIDC provider. Key: its name. */
export interface OidcAssignmentRecord {
  readonly name: string;
  readonly entityIds: readonly string[];
  readonly groupIds: readonly string[];
}

/** One OIDC provider. Key: its name. */
export interface OidcProviderRecord {
  readonly name: string;
  /** Scheme, host and port; empty: the vault's own. */
  readonly issuer: string;
  readonly allowedClientIds: readonly string[];
  readonly scopesSupported: readonly string[];
}

/**
 * Identity tokens that count no more although they haven't expired. Key: `sub/` or `block/` and an entity id, or `sid/` and
 * a session id.
 */
export interface RevocationRecord {
  /** With {@link minEp}: tokens of this subject with an `ep` below. */
  readonly sub?: string;
  readonly minEp?: number;
  /** Tokens of this session. */
  readonly sid?: string;
  /** The last possible expiry of such a token; then the row goes. */
  readonly until: number;
}

/** The record type of each kind of the identity API. */
export interface IdentityRecords {
  readonly mount: MountRecord;
  readonly policy: PolicyRecord;
  readonly alias: AliasRecord;
  readonly group: GroupRecord;
  readonly service_token: ServiceTokenRecord;
  readonly token_role: TokenRoleRecord;
  readonly cubbyhole: CubbyholeRecord;
  readonly userpass_user: UserpassRecord;
  readonly oidc_key: OidcKeyRecord;
  readonly oidc_role: OidcRoleRecord;
  readonly oidc_scope: OidcScopeRecord;
  readonly oidc_client: OidcClientRecord;
  readonly oidc_assignment: OidcAssignmentRecord;
  readonly oidc_provider: OidcProviderRecord;
  readonly revocation: RevocationRecord;
}
