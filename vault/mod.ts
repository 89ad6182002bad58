/**
 * The domain: users, their tokens, roles and keys, and the state they live in.
 *
 * It relies on a store for durability and on its caller for time, randomness and a log (`ports.ts`). It leaves to its
 * neighbours every protocol: it knows no gRPC, no HTTP, no command line, and reads no environment.
 *
 * @module
 */

export type { ClockGuard, ClockStatus } from "./clock_guard.ts";
export { lastValidDay, utcDay } from "./dates.ts";
export type { IdentityEngine } from "./identity_engine.ts";
export { asVaultError, ERROR_TABLE, VaultError, type VaultErrorKind } from "./errors.ts";
export type { KeyRing } from "./fhe_keys/key_ring.ts";
export type { FileName } from "./files/document.ts";
export type { FileDifference } from "./files/edits.ts";
export { MAX_LEASES_OF_ENTITY } from "./leases/leases.ts";
export type { FileFace } from "./files/file_face.ts";
export { type FileStatus, YAML_MAX_USERS } from "./files/file_standings.ts";
export { type EnvelopeService, type EnvelopeV1Policy, type OpenRight, openRightOf } from "./keys/envelope_service.ts";
export type { BundleParts, ClientSettings, PublicKeyFiles } from "./keys/key_bundle.ts";
export { SEAL_KEY_BYTES, SealKey } from "./keys/seal_key.ts";
export type { SecretService, SecretVersion } from "./keys/secret_service.ts";
export type { Clock, Logger, LogLevel, RandomSource } from "./ports.ts";
export { formatRateLimit } from "./roles/rate_limit.ts";
export type { RollbackChoice } from "./rollback/rollback.ts";
export type { Role, RoleService } from "./roles/role_service.ts";
export type { Scope } from "./roles/scope.ts";
export type { KeySetFiles, ScoreDecryptor, ScoreRow } from "./scores/mod.ts";
export { VaultState } from "./state.ts";
export { SqliteStore } from "./storage/sqlite_store.ts";
export type { FheKeyRecord } from "./storage/records.ts";
export type { Store } from "./storage/store.ts";
export type { Authenticator, Caller } from "./tokens/authenticator.ts";
export type { IssuedToken, TokenService, TokenSummary } from "./tokens/token_service.ts";
export { type UserService, type UserSummary, warningsOf } from "./users/user_service.ts";
export { Vault, type VaultOptions } from "./vault.ts";
