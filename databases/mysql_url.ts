/**
 * Data source names of MySQL, as Go's driver writes them: `{{username}}:{{password}}@tcp(127.0.0.1:3306)/app?tls=true`.
 *
 * @module
 */

import { VaultError } from "../vault/errors.ts";
import type { ConnectionSettings } from "../vault/database/ports.ts";

const DSN =
  /^(?:(?<user>[^:@]*)(?::(?<password>.*))?@)?(?:(?<net>tcp|unix)(?:\((?<address>[^)]*)\))?)?\/(?<database>[^?]*)(?:\?(?<query>.*))?$/s;

/** Where a data source name leads. */
export interface MysqlAddress {
  readonly user: string;
  readonly password: string;
  /** Host and port, or the path of a unix socket. Several are tried one after the other. */
  readonly places: readonly ({ readonly host: string; readonly port: number } | { readonly socketPath: string })[];
  readonly database: string;
  readonly tls: "off" | "on" | "unverified";
}

/**
 * Reads a data source name. The placeholders stand for the settings as they are: nothing has to be escaped.
 *
 * @throws {VaultError} `invalid_argument`.
 */
export function readMysqlUrl({ url, username, password }: ConnectionSettings): MysqlAddress {
  const found = DSN.exec(url)?.groups;
  if (found === undefined) throw badUrl();
  const fill = (text: string) => text.replaceAll("{{username}}", username).replaceAll("{{password}}", password);
  return {
    user: fill(found["user"] ?? ""),
    password: fill(found["password"] ?? ""),
    places: placesOf(found["net"] ?? "tcp", found["address"] ?? "127.0.0.1:3306"),
    database: found["database"] ?? "",
    tls: tlsOf(new URLSearchParams(found["query"] ?? "").get("tls")),
  };
}

/** Whether a data source name has a password that is none of ours. */
export function hasMysqlPassword(url: string): boolean {
  const password = DSN.exec(url)?.groups?.["password"] ?? "";
  return password !== "" && password !== "{{password}}";
}

/** A data source name without its password. */
export function hideMysqlPassword(url: string): string {
  if (!hasMysqlPassword(url)) return url;
  const password = DSN.exec(url)!.groups!["password"]!;
  const at = url.indexOf(":") + 1;
  return `${url.slice(0, at)}xxxxx${url.slice(at + password.length)}`;
}

function placesOf(net: string, address: string): MysqlAddress["places"] {
  if (net === "unix") return [{ socketPath: address }];
  return address.split(",").map((one) => {
    const found = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*))(?::(?<port>[0-9]{1,5}))?$/.exec(one.trim())?.groups;
    if (found === undefined) throw badUrl();
    return { host: found["v6"] ?? (found["host"] || "127.0.0.1"), port: Number(found["port"] ?? 3306) };
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
