import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { ignoreInstall, Machine } from "./_machine.ts";
import { call, installServeUninstall, issue } from "./_scenario.ts";
import { SOURCE } from "./_throw_away_root.ts";

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

Deno.test({
  name: "another program replaces the one that runs, and the service is started again with what it had",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    const from = await machine.launcher();
    equal((await machine.install("--from", from, "--tls", "auto")).code, 0);
    const token = await issue(machine, "alice");
    const pid = await machine.pid();
    await machine.sh(`echo '# the next version' >>${from}`);
    const { code, stdout, stderr } = await machine.install("--from", from);
    equal(code, 0, stderr);
    match(stdout, /^restarting runevault.service$/m);
    notEqual(await machine.pid(), pid);
    equal((await call(machine, { tls: "auto" }, token)).code, 0);
  },
});

Deno.test({
  name: "on a terminal install.sh asks for what no flag said, and what is answered is what is configured",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    const from = await machine.launcher();
    const answers = ["auto", "vault.example.org", "0.0.0.0:50052", "", "-", "no"].map((answer) => `${answer}\\n`).join(
      "",
    );
    const install = `sh ${SOURCE}/install.sh --from ${from}`;
    const said = await machine.sh(`printf '${answers}' | script -qec '${install}' /dev/null`);
    match(said, /File with a team secret of your own \(- to have one drawn\)/);
    match(said, /installed; nothing was started/);
    const config = await machine.read("/etc/runevault/runevault.yml");
    match(
      config,
      /tls: "auto"\ntls_hostname:\n {2}- "vault.example.org"\ngrpc_addr: "0.0.0.0:50052"\napi_addr: "127.0.0.1:8200"\n/,
    );
  },
});
