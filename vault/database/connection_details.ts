/**
 * The details of a connection: what operators give, what is read back, and what drivers are told.
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import { quoteName } from "../names.ts";
import type { Json } from "../storage/identity_records.ts";
import type { ConnectionSettings, DatabasePlugin } from "./ports.ts";
import { assertFits, parseUsernameTemplate } from "./username_template.ts";

/** Details by name; those that we don't know are kept and read back. */
export type ConnectionDetails = Readonly<Record<string, Json>>;

const MAX_OPEN = 4;
const MOST_OPEN = 100;
const SECRETS = new Set(["password", "private_key", "tls_certificate_key"]);

/**
 * Details after a write; null empties one.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function mergedDetails(
  before: ConnectionDetails,
  given: ConnectionDetails,
  plugin: DatabasePlugin,
  pluginName: string,
): ConnectionDetails {
  const template = given["username_template"];
  if (template === null) throw new VaultError("invalid_argument", "username_template can't be null");
  if (typeof template === "string" && template !== "") {
    assertFits(parseUsernameTemplate(template), plugin.maxUsernameLength(pluginName));
  }
  const merged = Object.entries({ ...before, ...given }).filter(([, value]) => value !== null);
  const details = Object.fromEntries(merged);
  settingsOf(details);
  return details;
}

/**
 * Refuses a connection that says nobody to log in as: a server with anonymous accounts would let it in, and everything that
 * is asked of it afterwards would fail.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function assertComplete(details: ConnectionDetails, plugin: DatabasePlugin): void {
  const settings = settingsOf(details);
  const { user } = plugin.targetOf(settings);
  const hasPassword = settings.password !== "" || plugin.passwordsIn(settings.url).length > 0;
  // Accounts that need none, behind a unix socket or a client certificate, have a URL without its placeholder.
  const needsPassword = user === "" || settings.url.includes("{{password}}");
  const missing = [...(user === "" ? ["username"] : []), ...(hasPassword || !needsPassword ? [] : ["password"])];
  if (missing.length === 0) return;
  const are = missing.length === 1 ? "is" : "are";
  throw new VaultError("invalid_argument", `${missing.join(" and ")} ${are} missing`, {
    hint: "give username=… and password=…, which stand for {{username}} and {{password}} in connection_url",
  });
}

/**
 * What a driver is told.
 *
 * @throws {VaultError} `invalid_argument` for details of the wrong kind.
 */
export function settingsOf(details: ConnectionDetails): ConnectionSettings {
  const url = textOf(details, "connection_url");
  if (url === "") {
    throw new VaultError("invalid_argument", "error creating database object: connection_url cannot be empty");
  }
  return {
    url,
    username: textOf(details, "username"),
    password: textOf(details, "password"),
    maxOpenConnections: Math.min(wholeOf(details, "max_open_connections") || MAX_OPEN, MOST_OPEN),
    maxConnectionLifetime: secondsOf(details["max_connection_lifetime"]),
    tlsCa: textOf(details, "tls_ca"),
    tlsCertificateKey: textOf(details, "tls_certificate_key"),
    tlsSkipVerify: isTrue(details["tls_skip_verify"]),
    passwordAuthentication: passwordAuthenticationOf(textOf(details, "password_authentication")),
  };
}

/** Details as they are read back, without a secret. */
export function shownDetails(details: ConnectionDetails, plugin: DatabasePlugin): Record<string, Json> {
  const shown = Object.fromEntries(Object.entries(details).filter(([key]) => !SECRETS.has(key)));
  return { ...shown, connection_url: plugin.withoutPasswords(String(details["connection_url"])) };
}

function textOf(details: ConnectionDetails, key: string): string {
  const value = details[key] ?? "";
  if (typeof value === "string") return value;
  throw new VaultError("invalid_argument", `${key} must be text`);
}

function passwordAuthenticationOf(given: string): ConnectionSettings["passwordAuthentication"] {
  const type = given === "" ? "password" : given;
  if (type === "password" || type === "scram-sha-256") return type;
  const message = `${quoteName(given)} is not a valid password authentication type`;
  throw new VaultError("invalid_argument", message, { hint: "password or scram-sha-256" });
}

function wholeOf(details: ConnectionDetails, key: string): number {
  const value = Number(details[key] ?? 0);
  if (Number.isInteger(value)) return Math.max(0, value);
  throw new VaultError("invalid_argument", `${key} must be a whole number`);
}

function isTrue(value: Json | undefined): boolean {
  return value === true || value === "true" || value === "1" || value === 1;
}

/** `90`, `"90"`, `"90s"`, `"5m"`, `"1h"`. */
function secondsOf(value: Json | undefined): number {
  const found = /^([0-9]{1,7})([smh]?)$/.exec(String(value ?? 0));
  if (found === null) throw new VaultError("invalid_argument", "max_connection_lifetime must be a duration");
  return Number(found[1]) * { "": 1, s: 1, m: 60, h: 3600 }[found[2] as "" | "s" | "m" | "h"];
}
