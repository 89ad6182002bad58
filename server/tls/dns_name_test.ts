import assert from "node:assert/strict";
import { isCoveredBy, parseDnsName } from "./dns_name.ts";

Deno.test("parseDnsName() gives a host name in lower case without its trailing dot", () => {
  const label = "a".repeat(63);
  const cases: [string, string][] = [
    ["localhost", "localhost"],
    ["LocalHost.", "localhost"],
    ["Vault-1.Example.COM", "vault-1.example.com"],
    ["rune_vault", "rune_vault"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["3com.example", "3com.example"],
    [`${label}.${label}.${label}.${"b".repeat(61)}`, `${label}.${label}.${label}.${"b".repeat(61)}`],
  ];
  for (const [text, name] of cases) assert.equal(parseDnsName(text), name);
});

Deno.test("parseDnsName() refuses wildcards, other alphabets, numbers and malformed labels", () => {
  const label = "a".repeat(63);
  const none = [
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a..",
    "*.example.com",
    "*",
    "-a",
    "a-",
    "a.-b.c",
    "bücher.example",
    "a b",
    "a\n",
    "a\0b",
    "a/b",
    "a:1",
    "127.1",
    "1",
    "a.0x7f",
    "a".repeat(64),
    `${label}.${label}.${label}.${"b".repeat(62)}`,
    "a.".repeat(100_000),
  ];
  for (const text of none) assert.equal(parseDnsName(text), null, JSON.stringify(text.slice(0, 80)));
});

Deno.test("isCoveredBy() takes the name itself and names under it, at whole labels", () => {
  const subtrees = ["localhost", "vault.example.com"];
  for (
    const name of ["localhost", "vault.example.com", "a.vault.example.com", "a.b.vault.example.com", "x.localhost"]
  ) {
    assert.equal(isCoveredBy(name, subtrees), true, name);
  }
  for (const name of ["example.com", "xvault.example.com", "vault.example.com.evil.org", "com", "notlocalhost"]) {
    assert.equal(isCoveredBy(name, subtrees), false, name);
  }
  assert.equal(isCoveredBy("localhost", []), false);
});
