/** The service under systemd itself, which the machine of these tests booted. */

import { equal } from "node:assert/strict";
import { Machine } from "../install/_machine.ts";
import { ignoreSystemd } from "../install/_systemd_root.ts";
import {
  installForUser,
  liveUnderSystemd,
  restoreUnderSystemd,
  upgradeUnderSystemd,
} from "../install/_systemd_scenario.ts";
import { binaryPath } from "./_binary.ts";

function booted(name: string, work: (machine: Machine, program: string) => Promise<void>): void {
  Deno.test({
    name: `under systemd: ${name}`,
    ignore: ignoreSystemd(),
    async fn() {
      await using machine = await Machine.boot();
      await work(machine, await machine.bring(binaryPath(), "/opt/runevault"));
    },
  });
}

booted("a service that dies or hangs is started again, one that can't be configured is not", async (machine, from) => {
  const { code, stdout, stderr } = await machine.install(
    "--from",
    from,
    "--tls",
    "off",
    "--grpc-addr",
    "127.0.0.1:50051",
  );
  equal(code, 0, stdout + stderr);
  await liveUnderSystemd(machine);
  await upgradeUnderSystemd(machine, from);
  await restoreUnderSystemd(machine);
});

booted("install.sh --user sets up a service of a user's own systemd", installForUser);
