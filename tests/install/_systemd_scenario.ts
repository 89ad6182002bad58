/**
 * What only systemd itself can show of the unit: what it does when the service dies, hangs, can't be configured or
 * fails for ever, what reaches the journal, and what a boot starts.
 *
 * @module
 */

import { equal, match, notEqual, ok } from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { Machine } from "./_machine.ts";
import { call, issue } from "./_scenario.ts";
import { SOURCE } from "./_throw_away_root.ts";

const UNIT = "runevault";
const CONFIG = "/etc/runevault/runevault.yml";
const DROP_IN = "/run/systemd/system/runevault.service.d/test.conf";

/** Properties of the service, as `systemctl show` has them. */
async function shown(machine: Machine, ...names: string[]): Promise<string[]> {
  const properties = names.map((name) => `--property=${name}`).join(" ");
  const lines = (await machine.sh(`systemctl show ${UNIT} ${properties}`)).trim().split("\n");
  const values = new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  return names.map((name) => values.get(name) ?? "");
}

/** Waits, for a minute at most, until a property has a value. */
async function until(machine: Machine, name: string, value: RegExp): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (value.test((await shown(machine, name))[0]!)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${name} is ${await shown(machine, name)}\n${await machine.sh(`systemctl status ${UNIT} || :`)}`);
}

/** Runs `work` with settings of the unit that make a test shorter. */
async function withSettings(machine: Machine, settings: string, work: () => Promise<void>): Promise<void> {
  await machine.write(DROP_IN, settings);
  await machine.sh("systemctl daemon-reload");
  await work();
  await machine.sh(`rm ${DROP_IN} && systemctl daemon-reload`);
}

/** All of it, one after the other, on a machine where the service was installed and runs. */
export async function liveUnderSystemd(machine: Machine): Promise<void> {
  const token = await issue(machine, "bob");
  const isServed = async () => equal((await call(machine, { tls: "off" }, token)).code, 0, "the token is still good");
  await assertStatus(machine);
  await reload(machine);
  await killed(machine);
  await isServed();
  await hanging(machine);
  await isServed();
  await misconfigured(machine);
  await isServed();
  await failingForEver(machine);
  await stoppedAndBooted(machine);
  await isServed();
}

async function assertStatus(machine: Machine): Promise<void> {
  const said = await machine.sh(`systemctl status --no-pager ${UNIT}`);
  match(said, /Loaded: loaded \(\/etc\/systemd\/system\/runevault\.service; enabled/);
  match(said, /Active: active \(running\)/);
  equal((await shown(machine, "NRestarts", "Result")).join(), "0,success");
  const security = await machine.sh(`systemd-analyze security --no-pager --threshold=20 ${UNIT}`);
  match(security, /Overall exposure level for runevault.service: [01]\.\d OK/);
  // systemd itself wrote the "Started" line; the service's own have their priorities.
  match(await machine.sh(`journalctl -u ${UNIT} -o cat --no-pager`), /^Started runevault\.service/m);
  match(await machine.sh(`journalctl -u ${UNIT} -p warning -o cat --no-pager`), /no_public_url/);
  ok(!(await machine.sh(`journalctl -u ${UNIT} -p warning -o cat --no-pager`)).includes("ready grpc="));
}

async function reload(machine: Machine): Promise<void> {
  const pid = await machine.pid();
  await machine.sh(`systemctl reload ${UNIT}`);
  equal(await machine.pid(), pid);
  equal((await shown(machine, "ActiveState")).join(), "active");
}

/** It is there again by itself, and systemd says how it went. */
async function killed(machine: Machine): Promise<void> {
  const pid = await machine.pid();
  await machine.sh(`kill -9 ${pid}`);
  await until(machine, "NRestarts", /^1$/);
  await until(machine, "ActiveState", /^active$/);
  notEqual(await machine.pid(), pid);
}

/** A process that stands still gives no sign of life: systemd ends it and starts another. */
async function hanging(machine: Machine): Promise<void> {
  await withSettings(machine, "[Service]\nWatchdogSec=3\n", async () => {
    await machine.sh(`systemctl restart ${UNIT}`);
    const pid = await machine.pid();
    // While it lives it is left alone, for longer than it may be silent.
    await new Promise((resolve) => setTimeout(resolve, 4000));
    equal(await machine.pid(), pid);
    await machine.sh(`kill -STOP ${pid}`);
    await until(machine, "NRestarts", /^1$/);
    await until(machine, "ActiveState", /^active$/);
    notEqual(await machine.pid(), pid);
  });
  match(await machine.sh(`journalctl -u ${UNIT} -o cat --no-pager`), /Watchdog timeout/);
  equal(await machine.sh("find / -xdev -name 'core*' -newer /run/systemd/system -size +1M -not -path '/opt/*'"), "");
}

/** A configuration that can't be served ends with 78, and nobody tries again. */
async function misconfigured(machine: Machine): Promise<void> {
  await machine.sh(`cp ${CONFIG} /root/config && echo 'no_such_setting: 1' >>${CONFIG}`);
  equal((await machine.root.run(["systemctl", "restart", UNIT])).code, 1);
  await new Promise((resolve) => setTimeout(resolve, 4000));
  equal((await shown(machine, "ActiveState", "ExecMainStatus", "NRestarts")).join(), "failed,78,0");
  match(await machine.sh(`journalctl -u ${UNIT} -o cat --no-pager -n 20`), /no_such_setting/);
  await machine.sh(`cp /root/config ${CONFIG} && systemctl restart ${UNIT}`);
}

/** What fails with another code is tried ten times and then given up. */
async function failingForEver(machine: Machine): Promise<void> {
  const settings = "[Service]\nType=simple\nRestartSec=100ms\nExecStart=\nExecStart=/bin/false\n";
  await withSettings(machine, settings, async () => {
    await machine.root.run(["systemctl", "restart", UNIT]);
    await until(machine, "ActiveState", /^failed$/);
    equal((await shown(machine, "Result")).join(), "exit-code");
    match(await machine.sh(`journalctl -u ${UNIT} -o cat --no-pager -n 20`), /Start request repeated too quickly/);
  });
  await machine.sh(`systemctl reset-failed ${UNIT} && systemctl start ${UNIT}`);
}

/** What was stopped stays so; what boots the machine starts it. */
async function stoppedAndBooted(machine: Machine): Promise<void> {
  await machine.sh(`systemctl stop ${UNIT} multi-user.target`);
  equal((await shown(machine, "ActiveState", "Result", "ExecMainStatus")).join(), "inactive,success,0");
  await machine.sh("systemctl start multi-user.target");
  await until(machine, "ActiveState", /^active$/);
}

/** Another program takes over the service, and one that does not start is taken back. */
export async function upgradeUnderSystemd(machine: Machine, program: string): Promise<void> {
  const token = await issue(machine, "carol");
  const pid = await machine.pid();
  await machine.writeProgram("/opt/next", `exec ${program} "$@"`);
  const upgraded = await machine.install("--from", "/opt/next");
  equal(upgraded.code, 0, upgraded.stderr);
  notEqual(await machine.pid(), pid);
  equal((await call(machine, { tls: "off" }, token)).code, 0);
  const broken = 'case $1 in --version) echo "runevault 9" ;; completion) echo "# $2" ;; *) exit 78 ;; esac';
  await machine.writeProgram("/opt/broken", broken);
  const refused = await machine.install("--from", "/opt/broken");
  equal(refused.code, 1);
  match(refused.stderr, /runevault.service did not start[^]*taking back/);
  equal((await call(machine, { tls: "off" }, token)).code, 0, "the former program serves again");
}

/** Back up, lose the folder, restore as docs/backup.md says it for a service. */
export async function restoreUnderSystemd(machine: Machine): Promise<void> {
  const page = await Deno.readTextFile(new URL("../../docs/backup.md", import.meta.url));
  const block = /tests\/binary\/systemd_test.ts runs it -->\n\n```sh\n([^]*?)```/.exec(page)![1]!;
  await machine.writeProgram("/usr/local/bin/sudo", SUDO);
  // Somebody presses Ctrl-C as soon as it says that it is ready.
  await machine.writeProgram("/opt/here/at-ready", AT_READY);
  await machine.write("/opt/here/passphrase", "five words for this test\n", 0o600);
  const token = await issue(machine, "dora");
  await machine.sh("cd /opt/here && runevault backup --passphrase-file passphrase vault.age");
  await machine.sh(`systemctl stop ${UNIT} && rm -r /var/lib/runevault`);
  const [restore, serve, start] = block.trim().split("\n") as [string, string, string];
  await machine.sh(`cd /opt/here && ${restore}`);
  equal((await machine.root.run(["systemctl", "start", UNIT])).code, 1);
  match(await machine.sh(`journalctl -u ${UNIT} -o cat --no-pager -n 5`), /--accept-rollback/);
  await machine.sh(`cd /opt/here && ./at-ready ${serve}`);
  await machine.sh(start);
  equal((await shown(machine, "ActiveState")).join(), "active");
  equal((await call(machine, { tls: "off" }, token)).code, status.UNAUTHENTICATED);
  match(await machine.sh("runevault user list"), /^dora /m);
  equal((await call(machine, { tls: "off" }, await issue(machine, "dora"))).code, 0);
}

/** What these commands need of sudo. */
const SUDO = `[ "$1" = -u ] || exec "$@"
user=$2
shift 2
exec setpriv --reuid=$user --regid=$user --clear-groups env HOME=/var/lib/runevault "$@"`;

const AT_READY = `"$@" >/run/at-ready 2>&1 &
until grep -q "ready grpc=" /run/at-ready || ! kill -0 $!; do sleep 0.1; done
kill -INT $!
wait $! || { cat /run/at-ready; exit 1; }`;

/** `install.sh --user` sets up a service of a user's own systemd, and takes it away. */
export async function installForUser(machine: Machine, program: string): Promise<void> {
  await machine.sh("useradd --create-home --shell /bin/sh op && loginctl enable-linger op");
  const uid = (await machine.sh("id -u op")).trim();
  await machine.sh(`systemctl start user@${uid}`);
  const as = `HOME=/home/op XDG_RUNTIME_DIR=/run/user/${uid} PATH=/home/op/.local/bin:$PATH`;
  const asOp = (command: string) => machine.sh(`${as} setpriv --reuid=op --regid=op --init-groups sh -c '${command}'`);
  const options = "--tls off --grpc-addr 127.0.0.1:50051";
  match(await asOp(`sh ${SOURCE}/install.sh --user --from ${program} ${options}`), /^ready: gRPC/m);
  match(await asOp("systemctl --user status --no-pager runevault"), /Active: active \(running\)/);
  match(await asOp("runevault status"), /healthy/);
  match(await asOp("runevault doctor"), /^WARNING +tls +it is off$/m, "commands find the configuration");
  const pid = await asOp("systemctl --user show --property=MainPID --value runevault");
  match(await machine.sh(`cat /proc/${pid.trim()}/status`), /^NoNewPrivs:\t1$[^]*^Seccomp:\t2$/m);
  match(await asOp(`sh ${SOURCE}/install.sh --user --uninstall --purge`), /uninstalled, with all data/);
}
