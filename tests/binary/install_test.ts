import { ignoreInstall, Machine } from "../install/_machine.ts";
import { installServeUninstall } from "../install/_scenario.ts";
import { binaryPath } from "./_binary.ts";

Deno.test({
  name: "install.sh brings the binary from nothing to a served request, and takes everything away again",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    await installServeUninstall(machine, { from: await machine.bring(binaryPath(), "/opt/runevault"), tls: "off" });
  },
});
