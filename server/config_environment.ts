/**
 * Settings in the environment, by our names and by Rune-Vault's.
 *
 * @module
 */

import { SERVE_OPTIONS } from "./config_options.ts";
import type { RawValues } from "./config_values.ts";

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
