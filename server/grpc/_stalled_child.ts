/**
 * A server whose memory is asked for, in a process of its own where garbage can be collected at will. Arguments: a
 * certificate and its key, PEM files, for TLS. Each line that comes in is answered with the bytes of its heap.
 *
 * @module
 */

import { startAnswering } from "./_test_support.ts";
import { plaintextCredentials, tlsCredentials } from "./credentials.ts";

const collect = (globalThis as { gc?: () => void }).gc;
const [cert, key] = Deno.args;
const credentials = cert === undefined ? plaintextCredentials() : tlsCredentials(materialOf(cert, key!));
const { server } = await startAnswering(() => "m".repeat(1024), { credentials });
say({ address: server.address });
for await (const _line of Deno.stdin.readable) {
  collect?.();
  collect?.();
  say({ heap: Deno.memoryUsage().heapUsed });
}
Deno.exit(0);

function say(message: object): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
}

function materialOf(cert: string, key: string) {
  const pair = { certPem: Deno.readTextFileSync(cert), keyPem: Deno.readTextFileSync(key) };
  return { current: () => pair, onChange: () => () => {} };
}
