/**
 * Every setting of `runevault serve`, once: its flag, its environment variable, its key in `runevault.yml`, its help.
 *
 * The flag is `--key-with-dashes`, the variable `RUNEVAULT_KEY`, the key in the file `key_with_underscores`.
 *
 * @module
 */

/** One setting. */
export interface ConfigOption {
  readonly flag: string;
  readonly env: string;
  /** The variable of Rune-Vault that keeps working. */
  readonly legacyEnv?: string;
  readonly key: string;
  /** `list`: the flag may be given several times; in the environment its values are separated by commas. */
  readonly type: "string" | "boolean" | "integer" | "list";
  readonly placeholder?: string;
  readonly help: string;
  /** The value is a secret: it comes from the environment or a file, never from an argument. */
  readonly secret?: true;
  /** Said once, for one start: taken from the command line alone, where it can't be forgotten. */
  readonly once?: true;
}

function option(key: string, type: ConfigOption["type"], help: string, more: Partial<ConfigOption> = {}): ConfigOption {
  const env = `RUNEVAULT_${key.toUpperCase()}`;
  return { flag: `--${key.replaceAll("_", "-")}`, env, key, type, help, ...more };
}

/** All settings of `serve`. */
export const SERVE_OPTIONS: readonly ConfigOption[] = [
  option("config", "string", "the configuration file", { placeholder: "FILE" }),
  option("data_dir", "string", "the data folder", { placeholder: "DIR" }),
  option("grpc_addr", "string", "gRPC listener (default 0.0.0.0:50051; `off` turns it off)", { placeholder: "ADDR" }),
  option("workers", "integer", "threads that serve gRPC on the one port (default 1, at most 16)", { placeholder: "N" }),
  option("admin_addr", "string", "admin API on loopback TCP (default 127.0.0.1:8081; `off`)", { placeholder: "ADDR" }),
  option("admin_socket", "string", "admin API on a unix socket (default <data>/admin.sock; `off`)", {
    placeholder: "PATH",
  }),
  option("admin_socket_group", "string", "a group that may open the admin socket too, each by an operator's token", {
    placeholder: "GROUP",
  }),
  option("api_addr", "string", "identity API (default 127.0.0.1:8200; `off`)", { placeholder: "ADDR" }),
  option("public_url", "string", "what identity tokens name as issuer (default: made from the address)", {
    placeholder: "URL",
  }),
  option("root_token_file", "string", "where the first start writes a root token of the identity API", {
    placeholder: "FILE",
  }),
  option("metrics_addr", "string", "metrics and health (default 127.0.0.1:9090; `off`)", { placeholder: "ADDR" }),
  option(
    "metrics_users",
    "string",
    "users as labels of metrics: on (default; 1,000 at most, the rest as `other`) or off",
    {
      placeholder: "CHOICE",
    },
  ),
  option("tls", "string", "TLS of gRPC and the identity API: auto (default), files or off", { placeholder: "MODE" }),
  option("tls_cert", "string", "certificate chain for --tls files", {
    placeholder: "FILE",
    legacyEnv: "VAULT_TLS_CERT",
  }),
  option("tls_key", "string", "private key for --tls files", { placeholder: "FILE", legacyEnv: "VAULT_TLS_KEY" }),
  option("tls_hostname", "list", "a further name for the automatic certificate", { placeholder: "NAME" }),
  option("tls_client_ca", "string", "ask gRPC clients for a certificate of this CA", { placeholder: "FILE" }),
  option("allow_plaintext", "boolean", "allow --tls off on a gRPC address that is not loopback"),
  option("team_secret_file", "string", "a file with the team secret, imported as version 1", { placeholder: "FILE" }),
  option("team_secret", "string", "the team secret", { legacyEnv: "VAULT_TEAM_SECRET", secret: true }),
  option("legacy_tokens", "string", "deprecated shared tokens", { legacyEnv: "VAULT_TOKENS", secret: true }),
  option("seal_key_file", "string", "the seal key (default <data>/seal.key)", { placeholder: "FILE" }),
  option("roles_file", "string", "the roles' YAML file (default <data>/vault-roles.yml)", {
    placeholder: "FILE",
    legacyEnv: "VAULT_ROLES_FILE",
  }),
  option("tokens_file", "string", "the tokens' YAML file (default <data>/vault-tokens.yml)", {
    placeholder: "FILE",
    legacyEnv: "VAULT_TOKENS_FILE",
  }),
  option("yaml_max_users", "integer", "with more users the tokens' YAML file is not written (default 200000)", {
    placeholder: "N",
  }),
  option("envelope_v1", "string", "version-1 envelopes: accept (default), warn or refuse", { placeholder: "POLICY" }),
  option("index_name", "string", "index name that clients are told", {
    placeholder: "NAME",
    legacyEnv: "VAULT_INDEX_NAME",
  }),
  option("envector_endpoint", "string", "enVector endpoint that clients are told", {
    placeholder: "HOST:PORT",
    legacyEnv: "ENVECTOR_ENDPOINT",
  }),
  option("envector_api_key", "string", "enVector key that clients are given", {
    legacyEnv: "ENVECTOR_API_KEY",
    secret: true,
  }),
  option("envector_api_key_file", "string", "a file with the enVector key", { placeholder: "FILE" }),
  option("fhe_dim", "integer", "make an FHE key set of this dimension at the first start", { placeholder: "N" }),
  option("embedding_dim", "integer", "dimension of indexes under keys that came without EvalKey.json", {
    placeholder: "N",
    legacyEnv: "EMBEDDING_DIM",
  }),
  option("audit_file", "string", "the audit trail (default <data>/audit.log; `off`: nothing is recorded)", {
    placeholder: "FILE",
  }),
  option(
    "audit_mirror",
    "string",
    "a second place for the trail: stdout, udp://HOST:514, tcp://HOST:514, unix:///dev/log",
    {
      placeholder: "PLACE",
    },
  ),
  option("audit_max_mb", "integer", "move the audit file away when it has so many MB (default 256; 0: never)", {
    placeholder: "N",
  }),
  option("audit_max_hours", "integer", "move it away after so many hours (default 0: never)", { placeholder: "N" }),
  option("audit_keep_days", "integer", "remove moved audit files after so many days (default 0: never)", {
    placeholder: "N",
  }),
  option("audit_compress", "string", "moved audit files: gzip (default) or off", { placeholder: "HOW" }),
  option(
    "audit_key_recipient",
    "string",
    "encrypt the trail's first key, left as <data>/audit.k0.age, to an age recipient",
    { placeholder: "AGE1" },
  ),
  option("audit_new_key", "boolean", "begin a new series of audit keys where the next key is lost"),
  option("log_format", "string", "text (default on a terminal), json (default elsewhere) or journal (for journald)", {
    placeholder: "FORMAT",
  }),
  option("log_level", "string", "debug, info (default), warn or error", { placeholder: "LEVEL" }),
  option("max_leases", "integer", "database accounts that an entity may have at a time (default 1000)", {
    placeholder: "N",
  }),
  option(
    "pause_revocation",
    "boolean",
    "leave database accounts alone: for a restored copy of a vault that still runs",
  ),
  option(
    "accept_rollback",
    "boolean",
    "serve a store that was restored or is behind its audit trail; ends every token",
    {
      once: true,
    },
  ),
  option("keep_tokens", "boolean", "with --accept-rollback: tokens of then work on, also those revoked since", {
    once: true,
  }),
  option("dev", "boolean", "a throw-away vault: temporary data, loopback, no TLS, a demo user"),
];
