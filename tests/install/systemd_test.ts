import { Machine } from "./_machine.ts";
import { installServeUninstall } from "./_scenario.ts";
import { ignoreSystemd } from "./_systemd_root.ts";

Deno.test({
  name: "under systemd itself install.sh sets up a vault that serves TLS, with the team secret as a credential",
  ignore: ignoreSystemd(),
  async fn() {
    await using machine = await Machine.boot();
    await installServeUninstall(machine, { from: await machine.launcher(), tls: "auto" });
  },
});
