import { deepEqual, equal, throws } from "node:assert/strict";
import { refused } from "../_test_support.ts";
import { checkedCidrs, isInCidrs } from "./cidr.ts";

Deno.test("addresses are compared with ranges of their family; an IPv4 peer on a socket for both is IPv4", () => {
  const rows: [string, string[], boolean][] = [
    ["10.1.2.3", ["10.0.0.0/8"], true],
    ["11.1.2.3", ["10.0.0.0/8"], false],
    ["10.1.2.3", ["192.0.2.0/24", "10.1.2.3"], true],
    ["10.1.2.4", ["192.0.2.0/24", "10.1.2.3"], false],
    ["10.1.2.3", ["10.1.2.3/32"], true],
    ["10.1.2.2", ["10.1.2.3/31"], true],
    ["203.0.113.9", ["0.0.0.0/0"], true],
    ["2001:db8::1", ["2001:db8::/32"], true],
    ["2001:DB8:0:0::1", ["2001:db8::/32"], true],
    ["2001:db9::1", ["2001:db8::/32"], false],
    ["::1", ["::1"], true],
    ["::ffff:10.1.2.3", ["10.0.0.0/8"], true],
    ["::FFFF:10.1.2.3", ["10.0.0.0/8"], true],
    ["::ffff:11.1.2.3", ["10.0.0.0/8"], false],
    ["2001:db8::1", ["0.0.0.0/0"], false],
    ["10.1.2.3", ["2001:db8::/32"], false],
  ];
  for (const [address, cidrs, expected] of rows) equal(isInCidrs(address, cidrs), expected, `${address} in ${cidrs}`);
});

Deno.test("no ranges are all addresses; with ranges, what is no address is in none", () => {
  equal(isInCidrs("anything", []), true);
  for (const address of ["", "localhost", "10.1.2", "10.1.2.3:80", "fe80::1%eth0"]) {
    equal(isInCidrs(address, ["10.0.0.0/8"]), false, address);
  }
});

Deno.test("ranges are taken in CIDR notation alone, and stay as they were written", () => {
  deepEqual(checkedCidrs(["10.0.0.0/8", "::1", "2001:db8::/32"]), ["10.0.0.0/8", "::1", "2001:db8::/32"]);
  for (
    const bad of ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "host", "*"]
  ) {
    throws(() => checkedCidrs(["::1", bad]), refused("invalid_argument", /bound CIDRs/), bad);
  }
});
