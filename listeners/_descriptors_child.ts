/**
 * Serves over TCP and on a unix socket until its standard input ends; for the test that takes the process's file
 * descriptors away from it. Prints the TCP port, and what was logged at the end.
 *
 * @module
 */

import { MemoryLogger } from "../tests/fakes/ports.ts";
import { KeptServer } from "./kept_server.ts";

if (import.meta.main) {
  const logger = new MemoryLogger();
  const answer = () => new Response("here");
  let port = 0;
  const tcp = new KeptServer<Deno.NetAddr>((signal) => {
    const server = Deno.serve({ hostname: "127.0.0.1", port, signal, onListen() {} }, answer);
    port = server.addr.port;
    return server;
  }, logger);
  const path = Deno.args[0]!;
  const unix = new KeptServer((signal) => Deno.serve({ path, signal, onListen() {} }, answer), logger);
  tcp.start();
  unix.start();
  const say = (text: string) => Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
  await say(String(port));
  await Deno.stdin.read(new Uint8Array(1));
  await say(logger.names().join(" "));
  await Promise.all([tcp.shutdown(1000), unix.shutdown(1000)]);
}
