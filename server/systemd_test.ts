import { deepEqual, equal, ok } from "node:assert/strict";
import { sleep } from "../tests/clients.ts";
import { NotifySocket } from "../tests/notify_socket.ts";
import { StartedServer, temporaryFolder } from "../tests/started_server.ts";
import type { LogLevel } from "../vault/mod.ts";
import { signOfLifeMs, SystemdNotifier } from "./systemd.ts";

const watched = { notifySocket: "/x", watchdogMicroseconds: "30000000", watchdogPid: undefined };

function recordingLogger() {
  const events: string[] = [];
  return { events, log: (_level: LogLevel, event: string) => void events.push(event) };
}

Deno.test("a sign of life is due three times in systemd's interval, and only where this process is watched", () => {
  equal(signOfLifeMs(watched, 7), 10_000);
  equal(signOfLifeMs({ ...watched, watchdogPid: "7" }, 7), 10_000);
  equal(signOfLifeMs({ ...watched, watchdogPid: "8" }, 7), undefined);
  for (const odd of [undefined, "", "0", "-1", "1e3", "9".repeat(16)]) {
    equal(signOfLifeMs({ ...watched, watchdogMicroseconds: odd }, 7), undefined);
  }
});

Deno.test("signs of life come from the event loop: while it stands still there are none", async () => {
  await using folder = await temporaryFolder();
  await using systemd = new NotifySocket(folder.path);
  const environment = { notifySocket: systemd.path, watchdogMicroseconds: "60000", watchdogPid: undefined };
  const notifier = new SystemdNotifier(environment, `${folder.path}/own.sock`, recordingLogger());
  await notifier.ready();
  await systemd.saw("WATCHDOG=1", 2);
  equal(systemd.states[0], "READY=1");
  const before = systemd.count("WATCHDOG=1");
  for (const until = performance.now() + 400; performance.now() < until;);
  await sleep(0);
  ok(systemd.count("WATCHDOG=1") <= before + 3, "of twenty, none was sent meanwhile");
  await notifier.close();
  const after = systemd.count("WATCHDOG=1");
  await sleep(100);
  equal(systemd.count("WATCHDOG=1"), after);
});

Deno.test("a socket that a killed process left behind is replaced; one that nobody reads is logged once", async () => {
  await using folder = await temporaryFolder();
  const ownPath = `${folder.path}/own.sock`;
  await Deno.writeTextFile(ownPath, "");
  const logger = recordingLogger();
  const environment = { ...watched, notifySocket: `${folder.path}/nobody.sock` };
  const notifier = new SystemdNotifier(environment, ownPath, logger);
  await notifier.notify("READY=1");
  await notifier.notify("STOPPING=1");
  deepEqual(logger.events, ["systemd_notify_failed"]);
  await notifier.close();
});

Deno.test("a server under systemd says that it is ready, alive and stopping; stopped by a signal it is silent", async () => {
  await using folder = await temporaryFolder();
  await using systemd = new NotifySocket(folder.path);
  const dataDir = `${folder.path}/data`;
  const env = { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: "150000" };
  await using server = await StartedServer.start({ dataDir, env });
  await systemd.saw("READY=1");
  await systemd.saw("WATCHDOG=1", 3);
  server.signal("SIGSTOP");
  await sleep(200);
  const before = systemd.count("WATCHDOG=1");
  await sleep(300);
  equal(systemd.count("WATCHDOG=1"), before);
  server.signal("SIGCONT");
  await systemd.saw("WATCHDOG=1", before + 1);
  equal(await server.stop(), 0);
  await systemd.saw("STOPPING=1");
  equal(await Deno.stat(`${dataDir}/notify.sock`).then(() => true, () => false), false);
});
