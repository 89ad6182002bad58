/**
 * Data source names of MySQL, as Go's driver writes them: `{{username}}:{{password}}@tcp(127.0.0.1:3306)/app?tls=true`.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import type { ConnectionSettings } from "../vault/database/ports.ts";

/** The longest that is read. */
const MAX_LENGTH = 4096;
const DSN =
  /^(?:(?<user>[^:@]*)(?::(?<password>.*))?@)?(?:(?<net>tcp|unix)(?:\((?<address>[^)]*)\))?)?\/(?<database>[^?/]*)(?:\?(?<query>.*))?$/s;

/** One server: a host with its port, or a unix socket. */
export type MysqlPlace = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** Where a data source name leads. */
export interface MysqlAddress {
  readonly user: string;
  readonly password: string;
  /** Several are tried one after the other. */
  readonly places: readonly MysqlPlace[];
  readonly database: string;
  readonly tls: "off" | "on" | "unverified";
}

/**
 * Reads a data source name. The placeholders stand for the settings as they are: nothing has to be escaped.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function readMysqlUrl({ url, username, password }: ConnectionSettings): MysqlAddress {
  const found = partsOf(url);
  if (found === undefined) throw badUrl();
  const fill = (text: string) =>
    text.replaceAll("{{username}}", () => username).replaceAll("{{password}}", () => password);
  return {
    user: fill(found["user"] ?? ""),
    password: fill(found["password"] ?? ""),
    places: placesOf(found["net"] ?? "tcp", found["address"] ?? "127.0.0.1:3306"),
    database: found["database"] ?? "",
    tls: tlsOf(new URLSearchParams(found["query"] ?? "").get("tls")),
  };
}

/** The password in a data source name, where it is none of ours. */
export function mysqlPasswordsIn(url: string): string[] {
  const password = partsOf(url)?.["password"] ?? "";
  return password === "" || password === "{{password}}" ? [] : [password];
}

/** A data source name without its password. */
export function hideMysqlPasswords(url: string): string {
  const [password] = mysqlPasswordsIn(url);
  if (password === undefined) return url;
  const at = url.indexOf(":") + 1;
  return `${url.slice(0, at)}xxxxx${url.slice(at + password.length)}`;
}

function partsOf(url: string): Record<string, string | undefined> | undefined {
  return url.length > MAX_LENGTH ? undefined : DSN.exec(url)?.groups;
}

function placesOf(net: string, address: string): MysqlPlace[] {
  if (net === "unix") return [{ socketPath: address }];
  return address.split(",").map((one) => {
    const found = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*))(?::(?<port>[0-9]{1,5}))?$/.exec(one.trim())?.groups;
    const port = Number(found?.["port"] ?? 3306);
    if (found === undefined || port < 1 || port > 65_535) throw badUrl();
    return { host: found["v6"] ?? (found["host"] || "127.0.0.1"), port };
  });
}

function tlsOf(value: string | null): MysqlAddress["tls"] {
  if (value === null || value === "false") return "off";
  return value === "skip-verify" || value === "preferred" ? "unverified" : "on";
}

function badUrl(): VaultError {
  return new VaultError("invalid_argument", "invalid connection_url", {
    hint: "as in {{username}}:{{password}}@tcp(127.0.0.1:3306)/",
  });
}
