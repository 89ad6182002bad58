/**
 * Listen addresses, and the address at which the command line looks for the admin API.
 *
 * @module
 */

import fc from "fast-check";
import { parseAdminAddress, showTarget } from "../../../admin/client_target.ts";
import { formatListenAddress, isLoopbackHost, parseListenAddress } from "../../../server/tls/addresses.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const host = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6().map((ip) => `[${ip}]`),
  fc.ipV4().map((ip) => `[::ffff:${ip}]`),
  fc.ipV6(),
  fc.domain(),
  fc.constantFrom("localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0", "0x7f.1", "LOCALHOST.", "[fe80::1%lo]", ""),
);
const port = fc.oneof(fc.nat({ max: 70_000 }).map(String), fc.constantFrom("00080", "", "+1", "1e3", "65536", "٣"));
const valid = fc.tuple(host, port).map(([h, p]) => `${h}:${p}`);
const pieces = [...AWKWARD_TEXT, "::", "[", "]", ":", "127.0.0.1", "::ffff:", "%lo", "xn--", "off", "::1", "。", "①"];

/** Addresses. */
export const target: FuzzTarget = syncTarget(
  "addresses",
  "json",
  fc.oneof(
    { weight: 60, arbitrary: valid },
    { weight: 100, arbitrary: mutatedText(valid, pieces) },
    { weight: 30, arbitrary: anyText(60, pieces) },
    { weight: 1, arbitrary: bulkText(100_000, ["a.", ":", "[", "0:", "1.", "a-"]) },
  ),
  check,
);

function check(text: string): void {
  const address = parseOrRefuse(["config_invalid"], () => parseListenAddress(text, "--grpc-addr"));
  if (address !== undefined && address !== null) {
    const { host, port } = address;
    must(Number.isInteger(port) && port >= 0 && port <= 65_535, `port ${port}`);
    must(/^[a-z0-9._:-]{1,253}$/.test(host), `host ${JSON.stringify(host)}`);
    const again = parseListenAddress(formatListenAddress(address), "--grpc-addr");
    must(again?.host === host && again.port === port, `${formatListenAddress(address)} is read as another address`);
    must(isLoopbackHost(host) === isLoopbackAgain(host), `${host} is taken for loopback: ${isLoopbackHost(host)}`);
  }
  checkAdmin(text);
}

/** By the spelling alone, which is canonical. */
function isLoopbackAgain(host: string): boolean {
  if (/^127(\.[0-9]{1,3}){3}$/.test(host)) return true;
  const mapped = /^::ffff:([0-9a-f]{1,4}):[0-9a-f]{1,4}$/.exec(host)?.[1];
  return host === "localhost" || host === "::1" || (mapped !== undefined && parseInt(mapped, 16) >> 8 === 127);
}

/** The admin token goes to this machine alone. */
function checkAdmin(text: string): void {
  const found = parseOrRefuse(["usage"], () => parseAdminAddress(text));
  if (found === undefined) return;
  must(
    found.kind === "tcp" && isLoopbackHost(found.hostname),
    `${JSON.stringify(text)} is taken for ${showTarget(found)}`,
  );
}
