/**
 * Flags, environment and file, joined into one checked configuration that is read once.
 *
 * Flags beat environment beats file beats default. Nothing here touches the disk or the environment itself.
 *
 * @module
 */

import { type Document, isScalar, LineCounter, parseDocument, visit } from "yaml";
import {
  type EnvelopeV1Policy,
  type LogLevel,
  MAX_LEASES_OF_ENTITY,
  type RollbackChoice,
  VaultError,
  YAML_MAX_USERS,
} from "../vault/mod.ts";
import { yamlProblem } from "../vault/yaml_problem.ts";
import { assertFewDoubledApostrophes } from "../vault/files/doubled_apostrophes.ts";
import type { RotationSettings } from "../vault/audit/rotation.ts";
import { quoteUnknownKey } from "../vault/names.ts";
import { type MirrorSetting, parseMirror } from "./audit_mirrors/mod.ts";
import { type ConfigOption, SERVE_OPTIONS } from "./config_options.ts";
import type { LogFormat } from "./logger.ts";
import { isLoopbackHost, type ListenAddress, parseListenAddress } from "./tls/mod.ts";

/** Many times what all settings take. The YAML library needs a second for this much, and a kilobyte a node. */
const MAX_FILE_CHARS = 64 * 1024;

/** Beyond this the one thread that decides is what limits. */
const MAX_WORKERS = 16;

/** A value as it came in, by the option's key. */
export type RawValues = Readonly<Record<string, unknown>>;

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
  /** Database accounts are left alone. */
  /** Database accounts that an entity may have at a time (S18). */
  readonly maxLeases: number;
  readonly pauseRevocation: boolean;
  /** What is to become of a store that may be older than what was promised. */
  readonly rollback: RollbackChoice;
}

/** Collects what the environment says, the old names after ours. Empty variables count as unset. */
export function valuesFromEnvironment(env: (name: string) => string | undefined): RawValues {
  const values: Record<string, unknown> = {};
  for (const option of SERVE_OPTIONS) {
    if (option.once) continue;
    const text = env(option.env) || (option.legacyEnv && env(option.legacyEnv)) || undefined;
    if (text !== undefined) values[option.key] = option.type === "list" ? text.split(",") : text;
  }
  if (values["tls"] === undefined) Object.assign(values, legacyTls(env));
  return values;
}

/** Rune-Vault had a pair or a switch in place of a mode; the switch won over the pair. It acts on the gRPC port alone. */
function legacyTls(env: (name: string) => string | undefined): RawValues {
  if (env("VAULT_TLS_DISABLE")?.toLowerCase() === "true") {
    const ours = (name: string) => env(name) || undefined;
    return { tls: "off", api_tls: "auto", tls_cert: ours("RUNEVAULT_TLS_CERT"), tls_key: ours("RUNEVAULT_TLS_KEY") };
  }
  return env("VAULT_TLS_CERT") && env("VAULT_TLS_KEY") ? { tls: "files" } : {};
}

/**
 * Reads `runevault.yml`.
 *
 * @throws {VaultError} `config_invalid` for YAML that isn't a mapping, or that has an unknown key, which it names
 *   where it looks like one.
 */
export function valuesFromFile(path: string, text: string): RawValues {
  if (text.length > MAX_FILE_CHARS) {
    throw new VaultError("config_invalid", `${path} is longer than ${MAX_FILE_CHARS} characters`);
  }
  assertFewDoubledApostrophes(path, text);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const problem = document.errors[0];
  if (problem !== undefined) {
    const reason = yamlProblem(problem);
    throw new VaultError("config_invalid", `${path}, line ${lines.linePos(problem.pos[0]).line}: ${reason}`);
  }
  const values = plainValues(path, document);
  if (values === null) return {};
  if (typeof values !== "object" || Array.isArray(values)) {
    throw new VaultError("config_invalid", `${path} must be a mapping of settings`);
  }
  const known = new Set(SERVE_OPTIONS.filter((option) => !option.once).map((option) => option.key));
  const unknown = Object.keys(values).find((key) => !known.has(key) || key === "config");
  if (unknown === undefined) return values as RawValues;
  throw new VaultError(
    "config_invalid",
    `${path}: unknown key${quoteUnknownKey(unknown)}`,
    { hint: `keys are ${[...known].filter((key) => key !== "config").join(", ")}` },
  );
}

/** What settings have no use for is refused, and a number is the text that it was written as. */
function plainValues(path: string, document: Document): unknown {
  visit(document, {
    Alias: () => {
      throw new VaultError("config_invalid", `${path}: aliases are not taken, write it out`);
    },
    Pair: (_key, { key }) => {
      if (isScalar(key) && typeof key.value === "string") return;
      throw new VaultError("config_invalid", `${path}: a key must be text`);
    },
    // A team secret of digits must lose neither its zeros nor what a number has no room for.
    Scalar: (_key, node) => {
      if (typeof node.value === "number") node.value = node.source;
    },
  });
  return document.toJS();
}

/** Whether a file's settings include one that others must not read. */
export function holdsSecret(values: RawValues): boolean {
  return SERVE_OPTIONS.some((option) => option.secret && values[option.key] !== undefined);
}

/**
 * Joins the sources, strongest first, and checks every value.
 *
 * @param defaultDataDir Where the data is when nobody says.
 * @throws {VaultError} `config_invalid` naming the setting.
 */
export function resolveConfig(sources: readonly RawValues[], defaultDataDir: string | undefined): Config {
  const raw = new Values(sources);
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
  return new Values(sources).text("legacy_tokens");
}

function assertConsistent(config: Config): void {
  if (config.rollback.keepTokens && !config.rollback.accept) {
    throw new VaultError("config_invalid", "--keep-tokens goes with --accept-rollback");
  }
  const { grpc, api, tls, tlsCert, tlsKey, dev, admin, metrics, workers } = config;
  if (workers < 1 || workers > MAX_WORKERS) {
    throw new VaultError("config_invalid", `--workers must be 1 to ${MAX_WORKERS}, not ${workers}`);
  }
  if (tls === "files" && (tlsCert === undefined || tlsKey === undefined)) {
    throw new VaultError("config_invalid", "--tls files needs --tls-cert and --tls-key");
  }
  if (tls !== "files" && (tlsCert !== undefined || tlsKey !== undefined)) {
    throw new VaultError("config_invalid", `--tls-cert and --tls-key go with --tls files, not --tls ${tls}`);
  }
  if (tls === "off" && config.tlsClientCa !== undefined) {
    throw new VaultError("config_invalid", "--tls-client-ca needs TLS: take away --tls off");
  }
  assertReachable(config);
  const remote = [grpc, api, admin, metrics].find((address) =>
    dev && address !== null && !isLoopbackHost(address.host)
  );
  if (remote) throw new VaultError("config_invalid", `--dev listens on loopback alone, not on ${remote.host}`);
}

/** The data folder is its owner's alone, so nobody of a group would come to a socket in it. */
function assertReachable({ adminSocket, adminSocketGroup, dataDir }: Config): void {
  if (adminSocketGroup === undefined || !adminSocket?.startsWith(`${dataDir}/`)) return;
  throw new VaultError("config_invalid", "A group can't reach an admin socket in the data folder", {
    hint: "give --admin-socket another place, such as /run/runevault/admin.sock",
  });
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

/** Looks settings up in several sources, the first that has one winning. */
class Values {
  readonly #sources: readonly RawValues[];

  constructor(sources: readonly RawValues[]) {
    this.#sources = sources;
  }

  text(key: string): string | undefined {
    const value = this.#find(key);
    if (value === undefined || typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    throw invalid(key, "must be text");
  }

  /** The value of `beside` in the very source that has `key`. */
  beside(key: string, beside: string): unknown {
    return this.#sources.find((source) => source[key] !== undefined)?.[beside];
  }

  integer(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined || /^[0-9]{1,9}$/.test(text)) return text === undefined ? undefined : Number(text);
    throw invalid(key, "must be a whole number");
  }

  flag(key: string): boolean {
    const value = this.#find(key) ?? false;
    if (value === true || value === "true" || value === "1") return true;
    if (value === false || value === "false" || value === "0") return false;
    throw invalid(key, "must be true or false");
  }

  list(key: string): string[] {
    const value = this.#find(key) ?? [];
    const items: unknown[] = Array.isArray(value) ? value : [value];
    if (items.every((item) => typeof item === "string")) return items as string[];
    throw invalid(key, "must be a list of texts");
  }

  choice<const C extends string>(key: string, choices: readonly C[]): C | undefined {
    const value = this.text(key);
    if (value === undefined || (choices as readonly string[]).includes(value)) return value as C | undefined;
    throw invalid(key, `must be one of ${choices.join(", ")}`);
  }

  #find(key: string): unknown {
    return this.#sources.find((source) => source[key] !== undefined)?.[key];
  }
}

function invalid(key: string, rule: string): VaultError {
  return new VaultError("config_invalid", `The setting ${nameOf(key)} ${rule}`);
}

function nameOf(key: string): string {
  const option: ConfigOption | undefined = SERVE_OPTIONS.find((one) => one.key === key);
  return option === undefined || option.secret ? key : option.flag;
}
