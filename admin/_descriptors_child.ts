/**
 * Serves an admin app on both listeners until its standard input ends; for the test that takes the process's file
 * descriptors away from it. Prints the two addresses as JSON, and what was logged at the end.
 *
 * @module
 */

import { makeApp } from "./_test_support.ts";
import { listenAdminSocket, listenAdminTcp } from "./listener.ts";

if (import.meta.main) {
  const app = makeApp();
  const tcp = listenAdminTcp({ hostname: "127.0.0.1", port: 0 }, app.handle, app.logger);
  const unix = await listenAdminSocket(Deno.args[0]!, app.handle, app.logger);
  const say = (text: string) => Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
  await say(JSON.stringify({ tcp: tcp.address, unix: unix.address }));
  await Deno.stdin.read(new Uint8Array(1));
  await say(app.logger.names().join(" "));
  await Promise.all([tcp.shutdown(1000), unix.shutdown(1000)]);
}
