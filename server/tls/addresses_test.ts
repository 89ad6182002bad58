import assert from "node:assert/strict";
import fc from "fast-check";
import { VaultError } from "../../vault/errors.ts";
import { configError } from "./_fixtures.ts";
import { assertPlaintextAllowed, formatListenAddress, isLoopbackHost, parseListenAddress } from "./addresses.ts";

Deno.test("parseListenAddress() reads IPv4, bracketed IPv6, host names, port 0 and off", () => {
  const cases: [string, string, number][] = [
    ["127.0.0.1:8200", "127.0.0.1", 8200],
    ["0.0.0.0:50051", "0.0.0.0", 50051],
    ["127.0.0.1:0", "127.0.0.1", 0],
    ["127.0.0.1:65535", "127.0.0.1", 65535],
    ["127.0.0.1:00080", "127.0.0.1", 80],
    ["[::1]:8200", "::1", 8200],
    ["[::]:50051", "::", 50051],
    ["[0:0:0:0:0:0:0:1]:1", "::1", 1],
    ["[2001:DB8::5]:443", "2001:db8::5", 443],
    ["[::ffff:127.0.0.1]:9", "::ffff:7f00:1", 9],
    ["localhost:0", "localhost", 0],
    ["Vault.Example.com.:8200", "vault.example.com", 8200],
  ];
  for (const [text, host, port] of cases) assert.deepEqual(parseListenAddress(text, "--api-addr"), { host, port });
  assert.equal(parseListenAddress("off", "--api-addr"), null);
});

const MALFORMED = [
  "",
  " ",
  "OFF",
  "none",
  ":",
  ":8200",
  "8200",
  "127.0.0.1",
  "127.0.0.1:",
  "127.0.0.1:-1",
  "127.0.0.1:+1",
  "127.0.0.1:65536",
  "127.0.0.1:99999",
  "127.0.0.1:100000",
  "127.0.0.1:1e3",
  "127.0.0.1:0x50",
  "127.0.0.1:80 ",
  " 127.0.0.1:80",
  "127.0.0.1:80\n",
  "127.0.0.1:80:90",
  "127.1:80",
  "0177.0.0.1:80",
  "2130706433:80",
  "256.0.0.1:80",
  "[127.0.0.1]:80",
  "[localhost]:80",
  "[]:80",
  "[::1]",
  "[::1]80",
  "[::1:80",
  "::1]:80",
  "::1:80",
  "::1",
  "[fe80::1%eth0]:80",
  "[[::1]]:80",
  "*:80",
  "host_:80x",
  "-host:80",
  "a b:80",
  "bücher:80",
  "tcp://127.0.0.1:80",
  "unix:/run/x.sock",
  "user@localhost:80",
  "127.0.0.1:８０",
  "localhost\0:80",
  `${"a".repeat(1_000_000)}:80`,
];

Deno.test("parseListenAddress() names setting and form for a malformed address, and what looks like one", async () => {
  for (const text of MALFORMED) {
    const error = await configError(() => parseListenAddress(text, "--grpc-addr"));
    const looksLikeOne = /^[0-9A-Za-z.:[\]-]+$/.test(text) && text.includes(":") && text.length <= 80;
    assert.equal(error.message, `--grpc-addr${looksLikeOne ? ` "${text}"` : ""} is not an address`);
    assert.ok(error.hint?.includes("host:port") && error.hint.includes("[::1]:8200") && error.hint.includes("off"));
  }
});

Deno.test("parseListenAddress() answers any text with an address that reads back, or with config_invalid", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.oneof(fc.ipV4(), fc.domain(), fc.ipV6().map((host) => `[${host}]`)).map((host) => `${host}:0`),
    fc.string({ unit: fc.constantFrom(..."[]:.%0123456789abcdef"), maxLength: 24 }).map((host) => `${host}:80`),
  );
  fc.assert(
    fc.property(text, (value) => {
      let address;
      try {
        address = parseListenAddress(value, "--x");
      } catch (error) {
        assert.ok(error instanceof VaultError && error.kind === "config_invalid");
        return;
      }
      if (address !== null) assert.deepEqual(parseListenAddress(formatListenAddress(address), "--x"), address);
    }),
    { numRuns: 500 },
  );
});

Deno.test("formatListenAddress() puts IPv6 into brackets", () => {
  assert.equal(formatListenAddress({ host: "::1", port: 8200 }), "[::1]:8200");
  assert.equal(formatListenAddress({ host: "localhost", port: 0 }), "localhost:0");
});

Deno.test("isLoopbackHost() is true for 127.0.0.0/8, ::1 and localhost alone", () => {
  const loopback = ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"];
  for (const host of [...loopback, "LOCALHOST", "localhost."]) assert.equal(isLoopbackHost(host), true, host);
  const others = ["0.0.0.0", "::", "[::]", "10.0.0.1", "192.168.1.1", "128.0.0.1", "fe80::1", "::ffff:0.0.0.0", ""];
  const names = ["vm", "localhost.example.com", "x.localhost", "127.0.0.1.nip.io", "127.1", "127.0.0.1 ", "0", "[::1"];
  for (const host of [...others, ...names]) assert.equal(isLoopbackHost(host), false, host);
});

Deno.test("assertPlaintextAllowed() refuses plaintext off loopback and names the flag", async () => {
  assertPlaintextAllowed("gRPC", { host: "127.0.0.1", port: 1 }, false);
  assertPlaintextAllowed("gRPC", { host: "::1", port: 1 }, false);
  assertPlaintextAllowed("gRPC", { host: "0.0.0.0", port: 50051 }, true);
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "vault.example.com"]) {
    const error = await configError(() => assertPlaintextAllowed("gRPC", { host, port: 50051 }, false));
    assert.ok(error.hint?.includes("--allow-plaintext"));
    assert.ok(error.message.includes("gRPC") && error.message.includes(formatListenAddress({ host, port: 50051 })));
  }
});
