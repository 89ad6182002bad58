import { equal, match, ok } from "node:assert/strict";
import { StartedServer } from "../started_server.ts";
import { binaryPath } from "./_binary.ts";

binaryPath();

/** All that comes until the other side closes; a side that doesn't close is taken for one that is done after a second. */
async function answers(address: string, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(address.split(":").at(-1)) });
  await connection.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(65_536);
  let heard = "";
  const until = AbortSignal.timeout(1000);
  while (!until.aborted) {
    const late = new Promise<null>((resolve) => until.addEventListener("abort", () => resolve(null), { once: true }));
    const length = await Promise.race([connection.read(buffer).catch(() => null), late]);
    if (length === null) break;
    heard += new TextDecoder().decode(buffer.subarray(0, length));
  }
  return heard;
}

const SECOND = "GET /v1/sys/seal-status HTTP/1.1\r\nhost: localhost\r\n\r\n";

/** Heads whose bodies two readers end at two places, or that are for two hosts. */
const AMBIGUOUS = [
  "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
  "content-length: 4\r\ntransfer-encoding: chunked\r\n",
  "transfer-encoding: identity, chunked\r\n",
  "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
  "host: elsewhere\r\ntransfer-encoding: chunked\r\n",
];

// The HTTP server of a runtime before 2.8 takes them, and what follows as a request of its own.
Deno.test("the binary answers 400 to a request that can be read in two ways, and takes nothing after it", async () => {
  await using server = await StartedServer.start();
  const { api, admin, metrics } = server.addresses;
  for (const address of [api!, admin!, metrics!]) {
    for (const fields of AMBIGUOUS) {
      const heard = await answers(address, `POST /v1/x HTTP/1.1\r\nhost: localhost\r\n${fields}\r\n0\r\n\r\n${SECOND}`);
      match(heard, /^HTTP\/1\.1 400 /, `${address} ${fields}`);
      equal(heard.match(/HTTP\/1\.1/g)!.length, 1, heard);
    }
  }
  const chunked = "transfer-encoding: chunked\r\n";
  const heard = await answers(api!, `POST /v1/x HTTP/1.1\r\nhost: localhost\r\n${chunked}\r\n0\r\n\r\n${SECOND}`);
  ok(heard.includes('"sealed":false'), heard);
});
