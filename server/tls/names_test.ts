import assert from "node:assert/strict";
import { configError } from "./_fixtures.ts";
import { collectTlsNames } from "./names.ts";

Deno.test("collectTlsNames() asks for localhost, loopback and --tls-hostname, and takes along what the host has", () => {
  const names = collectTlsNames({
    hostname: "VM-1",
    addresses: [
      "127.0.0.1",
      "127.0.1.1",
      "10.0.0.5",
      "::1",
      "2001:DB8::5",
      "fe80::1",
      "169.254.1.1",
      "fe80::2%eth0",
      "10.0.0.5",
    ],
    tlsHostnames: ["Vault.example.com", "192.0.2.7", "2001:db8:0::7", "vault.example.com."],
  });
  assert.deepEqual(names.asked, {
    dnsNames: ["localhost", "vault.example.com"],
    ipAddresses: ["127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"],
  });
  assert.deepEqual(names.detected, { dnsNames: ["vm-1"], ipAddresses: ["10.0.0.5", "2001:db8::5"] });
});

Deno.test("collectTlsNames() leaves out a host name that is none, or is asked for already", () => {
  const detected = (hostname: string) =>
    collectTlsNames({ hostname, addresses: [], tlsHostnames: ["a.b"] }).detected.dnsNames;
  for (const hostname of ["", "localhost", "my host", "127.0.0.1", "A.B.", "ü"]) {
    assert.deepEqual(detected(hostname), []);
  }
});

Deno.test("collectTlsNames() takes no more than 32 addresses of the host", () => {
  const addresses = Array.from({ length: 5000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  const { detected } = collectTlsNames({ hostname: "vm", addresses, tlsHostnames: [] });
  assert.deepEqual(detected.ipAddresses, addresses.slice(0, 32));
});

Deno.test("collectTlsNames() refuses a --tls-hostname that is no name", async () => {
  const refusal = async (value: string) =>
    (await configError(() => collectTlsNames({ hostname: "vm", addresses: [], tlsHostnames: [value] }))).message;
  for (const value of ["*.example.com", "127.1"]) {
    assert.equal(await refusal(value), `--tls-hostname "${value}" is not a host name`);
  }
  // What doesn't look like a name may be a secret in the wrong line.
  for (
    const value of ["", "https://vault.example.com", "vault:8200", "a b", "evt_7d1f0c93\0e64ab258", "Zq7vMx2LtR9+"]
  ) {
    assert.equal(await refusal(value), "--tls-hostname is not a host name");
  }
  const many = Array.from({ length: 101 }, (_, i) => `h${i}.example.com`);
  await configError(() => collectTlsNames({ hostname: "vm", addresses: [], tlsHostnames: many }));
});
