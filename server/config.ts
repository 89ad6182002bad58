/**
 * Flags, environment and file, joined into one checked configuration that is read once.
 *
 * Flags beat environment beats file beats default. Nothing here touches the disk or the environment itself.
 *
 * @module
 */

import type { RotationSettings } from "../vault/audit/rotation.ts";
import {
  type EnvelopeV1Policy,
  type LogLevel,
  MAX_LEASES_OF_ENTITY,
  type RollbackChoice,
  VaultError,
  YAML_MAX_USERS,
} from "../vault/mod.ts";
import { type MirrorSetting, parseMirror } from "./audit_mirrors/mod.ts";
import { assertConsistent } from "./config_checks.ts";
import { ConfigValues, type RawValues } from "./config_values.ts";
import type { LogFormat } from "./logger.ts";
import { type ListenAddress, parseListenAddress } from "./tls/mod.ts";

/** How the gRPC port gets its certificate. */
export type TlsMode = "auto" | "files" | "off";

/** Everything `serve` needs to know. */
export interface Config {
  readonly dataDir: string;
  readonly grpc: ListenAddress | null;
  /** Threads that serve gRPC, the main one among them. */
  readonly workers: number;
  /** The identity API. */
  readonly api: ListenAddress | null;
  /** What identity tokens name as their issuer: scheme, host and port; undefined: made from the actual address. */
  readonly publicUrl: string | undefined;
  /** Where the first start writes a root token. */
  readonly rootTokenFile: string | undefined;
  readonly admin: ListenAddress | null;
  /** Path of the admin socket; null: off. */
  readonly adminSocket: string | null;
  /** Name or number of the group that may open the admin socket. */
  readonly adminSocketGroup: string | undefined;
  readonly metrics: ListenAddress | null;
  /** Whether metrics tell users apart. */
  readonly metricsUsers: boolean;
  /** TLS of gRPC. */
  readonly tls: TlsMode;
  /** TLS of the identity API; differs from {@link tls} only by Rune-Vault's switch, which acts on gRPC alone. */
  readonly apiTls: TlsMode;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsHostnames: readonly string[];
  readonly tlsClientCa: string | undefined;
  readonly allowPlaintext: boolean;
  readonly teamSecretFile: string | undefined;
  readonly teamSecret: string | undefined;
  readonly legacyTokens: readonly string[];
  readonly sealKeyFile: string;
  readonly rolesFile: string;
  readonly tokensFile: string;
  /** With more users than this the tokens' file is not written. */
  readonly yamlMaxUsers: number;
  readonly envelopeV1: EnvelopeV1Policy;
  readonly indexName: string | undefined;
  readonly envectorEndpoint: string | undefined;
  readonly envectorApiKey: string | undefined;
  readonly envectorApiKeyFile: string | undefined;
  /** Dimension of the FHE key set to make at the first start. */
  readonly fheDim: number | undefined;
  readonly embeddingDim: number | undefined;
  /** Path of the audit file; null: nothing is recorded. */
  readonly auditFile: string | null;
  readonly auditNewKey: boolean;
  /** An age recipient for the first key of the trail; absent: it is left readable. */
  readonly auditKeyRecipient: string | undefined;
  readonly auditMirror: MirrorSetting | undefined;
  readonly auditRotation: RotationSettings;
  readonly logFormat: LogFormat | undefined;
  readonly logLevel: LogLevel;
  readonly dev: boolean;
  /** Database accounts that an entity may have at a time. */
  readonly maxLeases: number;
  /** Database accounts are left alone. */
  readonly pauseRevocation: boolean;
  /** What is to become of a store that may be older than what was promised. */
  readonly rollback: RollbackChoice;
}

/**
 * Joins the sources, strongest first, and checks every value.
 *
 * @param defaultDataDir Where the data is when nobody says.
 * @throws {VaultError} `config_invalid` naming the setting.
 */
export function resolveConfig(sources: readonly RawValues[], defaultDataDir: string | undefined): Config {
  const raw = new ConfigValues(sources);
  const dev = raw.flag("dev");
  const dataDir = raw.text("data_dir") ?? defaultDataDir;
  if (dataDir === undefined) throw new VaultError("config_invalid", "Give --data-dir: there is no home folder");
  const local = dev ? "127.0.0.1" : "0.0.0.0";
  const tls = raw.choice("tls", ["auto", "files", "off"]) ?? (dev ? "off" : "auto");
  const config: Config = {
    dataDir,
    grpc: parseListenAddress(raw.text("grpc_addr") ?? `${local}:50051`, "--grpc-addr"),
    workers: raw.integer("workers") ?? 1,
    api: parseListenAddress(raw.text("api_addr") ?? "127.0.0.1:8200", "--api-addr"),
    publicUrl: publicUrlOf(raw.text("public_url")),
    rootTokenFile: raw.text("root_token_file"),
    admin: parseListenAddress(raw.text("admin_addr") ?? "127.0.0.1:8081", "--admin-addr"),
    adminSocket: offOr(raw.text("admin_socket"), `${dataDir}/admin.sock`),
    adminSocketGroup: raw.text("admin_socket_group"),
    metrics: parseListenAddress(raw.text("metrics_addr") ?? "127.0.0.1:9090", "--metrics-addr"),
    metricsUsers: raw.choice("metrics_users", ["on", "off"]) !== "off",
    tls,
    apiTls: raw.beside("tls", "api_tls") === "auto" ? "auto" : tls,
    tlsCert: raw.text("tls_cert"),
    tlsKey: raw.text("tls_key"),
    tlsHostnames: raw.list("tls_hostname"),
    tlsClientCa: raw.text("tls_client_ca"),
    allowPlaintext: raw.flag("allow_plaintext"),
    teamSecretFile: raw.text("team_secret_file"),
    teamSecret: raw.text("team_secret"),
    legacyTokens: splitTokens(raw.text("legacy_tokens")),
    sealKeyFile: raw.text("seal_key_file") ?? `${dataDir}/seal.key`,
    rolesFile: raw.text("roles_file") ?? `${dataDir}/vault-roles.yml`,
    tokensFile: raw.text("tokens_file") ?? `${dataDir}/vault-tokens.yml`,
    yamlMaxUsers: raw.integer("yaml_max_users") ?? YAML_MAX_USERS,
    envelopeV1: raw.choice("envelope_v1", ["accept", "warn", "refuse"]) ?? "accept",
    indexName: raw.text("index_name"),
    envectorEndpoint: raw.text("envector_endpoint"),
    envectorApiKey: raw.text("envector_api_key"),
    envectorApiKeyFile: raw.text("envector_api_key_file"),
    fheDim: raw.integer("fhe_dim"),
    embeddingDim: raw.integer("embedding_dim"),
    maxLeases: raw.integer("max_leases") ?? MAX_LEASES_OF_ENTITY,
    pauseRevocation: raw.flag("pause_revocation"),
    rollback: { accept: raw.flag("accept_rollback"), keepTokens: raw.flag("keep_tokens") },
    auditFile: offOr(raw.text("audit_file"), `${dataDir}/audit.log`),
    auditNewKey: raw.flag("audit_new_key"),
    auditKeyRecipient: raw.text("audit_key_recipient"),
    auditMirror: mirrorOf(raw.text("audit_mirror")),
    auditRotation: {
      maxBytes: (raw.integer("audit_max_mb") ?? 256) * 1_000_000 || Infinity,
      maxAgeMs: times(raw.integer("audit_max_hours"), 3_600_000),
      keepMs: times(raw.integer("audit_keep_days"), 86_400_000),
      compresses: raw.choice("audit_compress", ["gzip", "off"]) !== "off",
    },
    logFormat: raw.choice("log_format", ["text", "json", "journal"]),
    logLevel: raw.choice("log_level", ["debug", "info", "warn", "error"]) ?? "info",
    dev,
  };
  assertConsistent(config);
  return Object.freeze(config);
}

/** 0 is as good as nothing. */
function times(count: number | undefined, milliseconds: number): number | undefined {
  return count ? count * milliseconds : undefined;
}

function mirrorOf(text: string | undefined): MirrorSetting | undefined {
  return text === undefined || text === "off" ? undefined : parseMirror(text);
}

/** The raw text of the deprecated variable, which was the team secret where none was set. */
export function legacyTeamSecret(sources: readonly RawValues[]): string | undefined {
  return new ConfigValues(sources).text("legacy_tokens");
}

/** Scheme, host and port alone, as RFC 8414 §2 wants of an issuer that paths are added to. */
function publicUrlOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const bare = url !== null && (url.protocol === "https:" || url.protocol === "http:") &&
    (text === url.origin || text === `${url.origin}/`);
  if (bare) return url.origin;
  throw new VaultError(
    "config_invalid",
    "--public-url must be scheme, host and port, such as https://vault.example:8200",
  );
}

function splitTokens(text: string | undefined): string[] {
  return (text ?? "").split(",").map((token) => token.trim()).filter((token) => token !== "");
}

function offOr(value: string | undefined, fallback: string): string | null {
  return value === "off" ? null : value ?? fallback;
}
