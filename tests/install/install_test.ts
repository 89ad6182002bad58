import { deepEqual, equal, match } from "node:assert/strict";
import { ignoreInstall, Machine } from "./_machine.ts";
import { installServeUninstall } from "./_scenario.ts";

Deno.test({
  name: "install.sh sets up a vault that serves TLS under its own CA",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    await installServeUninstall(machine, { from: await machine.launcher(), tls: "auto" });
  },
});

Deno.test({
  name: "install.sh --user sets up a vault for a user without rights, and takes it away again",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    await machine.sh("useradd --create-home op");
    const from = await machine.launcher();
    const everywhere = await machine.listing();
    const refused = await machine.installAs("op", "--from", from);
    match(refused.stderr, /needs root/);
    const { code, stdout, stderr } = await machine.installAs("op", "--user", "--from", from, "--tls", "auto");
    equal(code, 0, stdout + stderr);
    match(stdout, /^CA to give to clients: \/home\/op\/.local\/state\/runevault\/tls\/ca.pem$/m);
    const home = "HOME=/home/op PATH=/home/op/.local/bin:$PATH";
    match(await machine.sh(`${home} runevault status`, { user: "op" }), /healthy/);
    equal(await machine.sh("stat -c '%A %U' /home/op/.local/state/runevault"), "drwx------ op\n");
    deepEqual(await machine.listing(), everywhere, "nothing outside the home folder was touched");
    equal((await machine.installAs("op", "--user", "--uninstall", "--purge")).code, 0);
    equal(await machine.sh("find /home/op -name '*runevault*'"), "");
  },
});
