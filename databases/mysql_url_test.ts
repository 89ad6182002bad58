import { deepEqual, equal, throws } from "node:assert/strict";
import { refused } from "../vault/_test_support.ts";
import { hideMysqlPasswords, mysqlPasswordsIn, readMysqlUrl } from "./mysql_url.ts";

function settings(url: string) {
  const account = { username: "us@er", password: "p:a/ss@$&" };
  return {
    url,
    ...account,
    maxOpenConnections: 1,
    maxConnectionLifetime: 0,
    tlsCa: "",
    tlsCertificateKey: "",
    tlsSkipVerify: false,
    passwordAuthentication: "password" as const,
  };
}

Deno.test("readMysqlUrl() reads data source names; placeholders stand for what they are, unescaped", () => {
  const read = (url: string) => readMysqlUrl(settings(url));
  deepEqual(read("{{username}}:{{password}}@tcp(db:3307)/app?tls=skip-verify"), {
    user: "us@er",
    password: "p:a/ss@$&",
    places: [{ host: "db", port: 3307 }],
    database: "app",
    tls: "unverified",
  });
  deepEqual(read("a:b@tcp(h1,[::1]:3308)/").places, [{ host: "h1", port: 3306 }, { host: "::1", port: 3308 }]);
  deepEqual(read("a@unix(/run/my.sock)/").places, [{ socketPath: "/run/my.sock" }]);
  deepEqual(read("/").places, [{ host: "127.0.0.1", port: 3306 }]);
  equal(read("a:b@c:d/e@tcp(h)/").password, "b@c:d/e");
  deepEqual([read("a@/?tls=true").tls, read("a@/?tls=false").tls, read("a@/?tls=custom").tls], ["on", "off", "on"]);
  for (const url of ["", "nonsense", "a:b@tcp(h:0)/", "a@tcp(h:99999)/", "x".repeat(5000)]) {
    throws(() => read(url), refused("invalid_argument", /invalid connection_url/), url);
  }
});

Deno.test("hideMysqlPasswords() hides what is no placeholder", () => {
  equal(hideMysqlPasswords("a:s3:cr@et@tcp(h)/x"), "a:xxxxx@tcp(h)/x");
  for (const url of ["{{username}}:{{password}}@tcp(h)/", "a@tcp(h:3306)/", "nonsense"]) {
    equal(hideMysqlPasswords(url), url);
    deepEqual(mysqlPasswordsIn(url), []);
  }
});
