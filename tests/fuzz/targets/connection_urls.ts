/**
 * Connection URLs of MySQL and PostgreSQL: what they lead to, and that no password in one is shown.
 *
 * @module
 */

import fc from "fast-check";
import { mysqlPlugin } from "../../../databases/mysql.ts";
import { postgresPlugin } from "../../../databases/postgres.ts";
import type { ConnectionSettings } from "../../../vault/database/ports.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse, PLANTED } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const PASSWORD = PLANTED.teamSecret;
const VALID = [
  "{{username}}:{{password}}@tcp(127.0.0.1:3306)/",
  `vault:${PASSWORD}@tcp(db1:3306,[::1]:3307)/app?tls=skip-verify`,
  "vault@unix(/run/mysqld.sock)/app",
  "postgresql://{{username}}:{{password}}@127.0.0.1:5432/app?sslmode=disable",
  `postgres://vault:${PASSWORD}@db1,db2:5433/app?sslmode=verify-full&application_name=x`,
  `postgresql://db/app?user=vault&password=${PASSWORD}`,
  "host=127.0.0.1 port=5432 user={{username}} password='{{password}}' dbname=app sslmode=disable",
  `host=db password='${PASSWORD}'`,
];
const PIECES = [
  ...AWKWARD_TEXT,
  "{{password}}",
  "{{username}}",
  "@tcp(",
  "@",
  "password=",
  "sslpassword=",
  "?",
  "&",
  "'",
];
const text = fc.oneof(
  { weight: 100, arbitrary: mutatedText(fc.constantFrom(...VALID), PIECES) },
  { weight: 20, arbitrary: anyText() },
  { weight: 1, arbitrary: bulkText(100_000, [":", "@", "a:b@", "tcp(", "password= ", "host='\\"]) },
);

/** Connection URLs. */
export const target: FuzzTarget = syncTarget("connection_urls", "json", text, check);

function check(url: string): void {
  const settings: ConnectionSettings = {
    url,
    username: "vault",
    password: PLANTED.apiKey,
    maxOpenConnections: 1,
    maxConnectionLifetime: 0,
    tlsCa: "",
    tlsCertificateKey: "",
    tlsSkipVerify: false,
    passwordAuthentication: "password",
  };
  for (const plugin of [mysqlPlugin, postgresPlugin]) {
    const read = parseOrRefuse(["invalid_argument"], () => plugin.targetOf(settings));
    const shown = plugin.withoutPasswords(url);
    for (const password of plugin.passwordsIn(url)) {
      must(password !== "{{password}}", "a placeholder was taken for a password");
    }
    if (read === undefined) continue;
    // What logs in and isn't the configured password is in the URL, and is not shown there.
    const isOwn = read.password === settings.password || read.password === "";
    must(isOwn || plugin.passwordsIn(url).length > 0, "a password that nobody sees in the URL");
    must(isOwn || read.password !== PASSWORD || !shown.includes(PASSWORD), "a password is shown");
    must(read.place !== "", "it leads nowhere");
  }
}
