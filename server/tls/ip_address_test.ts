import assert from "node:assert/strict";
import { isLinkLocalAddress, isLoopbackAddress, parseIpAddress } from "./ip_address.ts";

Deno.test("parseIpAddress() gives each address one spelling", () => {
  const cases: [string, 4 | 6, string][] = [
    ["127.0.0.1", 4, "127.0.0.1"],
    ["0.0.0.0", 4, "0.0.0.0"],
    ["255.255.255.255", 4, "255.255.255.255"],
    ["::", 6, "::"],
    ["::1", 6, "::1"],
    ["0:0:0:0:0:0:0:1", 6, "::1"],
    ["2001:DB8:0:0::0005", 6, "2001:db8::5"],
    ["::ffff:127.0.0.1", 6, "::ffff:7f00:1"],
    ["0000:0000:0000:0000:0000:ffff:192.168.100.200", 6, "::ffff:c0a8:64c8"],
  ];
  for (const [text, family, canonical] of cases) assert.deepEqual(parseIpAddress(text), { family, text: canonical });
});

Deno.test("parseIpAddress() refuses what resolvers read in more than one way", () => {
  const none = [
    "",
    " ",
    "localhost",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    "127.0.0.256",
    "1.2.3.4.5",
    "127.0.0.1\n",
    " 127.0.0.1",
    "١٢٧.0.0.1",
    ":",
    ":::",
    "1::2::3",
    "12345::",
    "::1%lo",
    "::1\n",
    "::\t1",
    "fe80::1%eth0",
    "[::1]",
    "::1/128",
    "::ffff:127.1",
    "::ffff:1.2.3.4.5",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::g",
    "0".repeat(100) + "::1",
  ];
  for (const text of none) assert.equal(parseIpAddress(text), null, JSON.stringify(text));
});

Deno.test("isLoopbackAddress() is true for 127.0.0.0/8, ::1 and what is mapped into 127.0.0.0/8", () => {
  const is = (text: string) => isLoopbackAddress(parseIpAddress(text)!);
  for (const text of ["127.0.0.1", "127.255.255.254", "127.0.0.0", "::1", "::ffff:127.0.0.1", "::ffff:127.255.0.9"]) {
    assert.equal(is(text), true, text);
  }
  for (
    const text of ["0.0.0.0", "126.0.0.1", "128.0.0.1", "1.127.0.1", "::", "::2", "::127.0.0.1", "::ffff:7.0.0.1"]
  ) assert.equal(is(text), false, text);
  for (const text of ["::ffff:0.0.0.0", "::7f00:1", "7f00::1", "1::ffff:127.0.0.1"]) {
    assert.equal(is(text), false, text);
  }
});

Deno.test("isLinkLocalAddress() is true for 169.254.0.0/16 and fe80::/10 alone", () => {
  const is = (text: string) => isLinkLocalAddress(parseIpAddress(text)!);
  for (const text of ["169.254.0.1", "fe80::1", "febf:ffff::1", "FE90::"]) assert.equal(is(text), true, text);
  for (const text of ["169.253.0.1", "fec0::1", "fd00::1", "::1", "fe8::1"]) assert.equal(is(text), false, text);
});
