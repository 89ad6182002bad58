import { deepEqual, equal, throws } from "node:assert/strict";
import { refused } from "../vault/_test_support.ts";
import { hidePostgresPasswords, postgresPasswordsIn, readPostgresUrl } from "./postgres_url.ts";

function read(url: string) {
  const account = { username: "us@er", password: "p:a/ss@$&%41" };
  const rest = {
    maxOpenConnections: 1,
    maxConnectionLifetime: 0,
    tlsCa: "",
    tlsCertificateKey: "",
    tlsSkipVerify: false,
    passwordAuthentication: "password" as const,
  };
  return readPostgresUrl({ url, ...account, ...rest });
}

Deno.test("readPostgresUrl() reads URLs and pairs; placeholders stand for what they are, unescaped", () => {
  deepEqual(read("postgresql://{{username}}:{{password}}@db:5433/app?sslmode=disable&application_name=x"), {
    user: "us@er",
    password: "p:a/ss@$&%41",
    hosts: ["db"],
    ports: [5433],
    database: "app",
    sslmode: "disable",
    others: { application_name: "x" },
  });
  deepEqual(read("host=a,b port=1,2 user='it\\'s' password='x y' dbname=d").hosts, ["a", "b"]);
  const escaped = read("postgres://a%40b:c%2Fd@[::1]:5/e");
  deepEqual([escaped.user, escaped.password, escaped.hosts, escaped.ports], ["a@b", "c/d", ["::1"], [5]]);
  deepEqual([read("postgres://h1,h2:7/x").hosts, read("postgres://h1,h2:7/x").ports], [["h1", "h2"], [5432, 7]]);
  equal(read("postgres://h/x").user, "us@er");
  equal(read("postgres://h/x").sslmode, "prefer");
  for (
    const url of [
      "",
      "nonsense",
      "postgres://h:0/x",
      "postgres://h:99999/",
      "host='a",
      "postgres://%/x",
      "x".repeat(5000),
    ]
  ) {
    throws(() => read(url), refused("invalid_argument", /invalid connection_url/), url);
  }
});

Deno.test("hidePostgresPasswords() hides passwords wherever they stand, and no port", () => {
  const cases = [
    ["postgres://a:s3cr@t@h:5432/x", "postgres://a:xxxxx@h:5432/x"],
    ["postgres://h:5432/x?user=a&password=s3cr%20t&b=c", "postgres://h:5432/x?user=a&password=xxxxx&b=c"],
    ["postgres://a:one@h/x?sslpassword=two", "postgres://a:xxxxx@h/x?sslpassword=xxxxx"],
    ["host=h password='it\\'s; x' user=a", "host=h password=xxxxx user=a"],
    ["host=h password=a password = b", "host=h password=xxxxx password = xxxxx"],
  ] as const;
  for (const [url, hidden] of cases) equal(hidePostgresPasswords(url), hidden);
  for (
    const url of [
      "postgres://{{username}}:{{password}}@h:5432/x",
      "postgres://h:5432/x@y",
      "host=h password='{{password}}'",
    ]
  ) {
    equal(hidePostgresPasswords(url), url);
    deepEqual(postgresPasswordsIn(url), []);
  }
});
