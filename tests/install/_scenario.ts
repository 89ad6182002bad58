/**
 * From nothing to a served request, and back: what an operator does with install.sh, on a machine of its own.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { Buffer } from "node:buffer";
import { status } from "@grpc/grpc-js";
import type { Bundle } from "../clients.ts";
import type { Machine } from "./_machine.ts";
import { denoInside, SOURCE } from "./_throw_away_root.ts";

const TEAM_SECRET = "what the team has always sealed with";
const DATA = "/var/lib/runevault";
const SECRET_FILE = "/root/team-secret";

/** What is installed, and how it listens. */
export interface Scenario {
  /** The program, as a path on the machine. */
  readonly from: string;
  readonly tls: "auto" | "off";
}

/** Runs all of it; each step stands on the one before. */
export async function installServeUninstall(machine: Machine, scenario: Scenario): Promise<void> {
  const before = await machine.listing();
  await machine.write(SECRET_FILE, `${TEAM_SECRET}\n`, 0o600);
  const args = ["--from", scenario.from, "--tls", scenario.tls, "--team-secret-file", SECRET_FILE];
  if (scenario.tls === "off") args.push("--grpc-addr", "127.0.0.1:50051");
  await dryRun(machine, args, before);
  await install(machine, args, scenario);
  await assertPlaces(machine);
  const token = await issue(machine, "alice");
  await assertServed(machine, scenario, token);
  await installAgain(machine, args);
  await machine.sh("runevault token revoke --user alice");
  await uninstallKeepingData(machine, args);
  equal((await call(machine, scenario, token)).code, status.UNAUTHENTICATED);
  await purge(machine, before);
}

async function dryRun(machine: Machine, args: readonly string[], before: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await machine.install(...args, "--dry-run");
  equal(code, 0, stderr);
  match(stdout, /would make the user runevault\n/);
  deepEqual(await machine.listing(), before, "a dry run changes nothing");
}

async function install(machine: Machine, args: readonly string[], { tls }: Scenario): Promise<void> {
  const { code, stdout, stderr } = await machine.install(...args);
  equal(code, 0, stdout + stderr);
  match(stdout, /^ready: gRPC (127.0.0.1|0.0.0.0):50051, identity API 127.0.0.1:8200, metrics 127.0.0.1:9090$/m);
  if (tls === "auto") match(stdout, /^CA to give to clients: \/var\/lib\/runevault\/tls\/ca.pem$/m);
  const next = stdout.slice(stdout.indexOf("Next:\n")).split("\n").filter((line) =>
    line.startsWith("  sudo runevault ")
  );
  equal(next.length, 3, stdout);
  ok(!/member|admin\b/.test(stdout), "it knows no roles");
}

async function assertPlaces(machine: Machine): Promise<void> {
  const stat = (paths: string) => machine.sh(`stat -c '%A %U:%G %n' ${paths}`);
  equal(
    await stat(`${DATA} /etc/runevault/credentials /etc/runevault/credentials/team-secret /usr/local/bin/runevault`),
    `drwx------ runevault:runevault ${DATA}\n` +
      "drwx------ root:root /etc/runevault/credentials\n" +
      "-rw------- root:root /etc/runevault/credentials/team-secret\n" +
      "-rwxr-xr-x root:root /usr/local/bin/runevault\n",
  );
  const pid = await machine.pid();
  const owner = await machine.sh(`stat -c %U /proc/${pid}`);
  equal(owner, "runevault\n", "the service runs as its own user");
  const limits = await machine.sh(
    `grep -E '^(NoNewPrivs|Seccomp|CapBnd|CapEff):' /proc/${pid}/status`,
  );
  equal(limits, "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
  const journal = await machine.journal();
  ok(!journal.includes("native_library_off"), "native code is loaded under the filter");
  ok(!journal.includes(TEAM_SECRET), "no team secret in the journal");
  for (const path of [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`, "/etc/systemd/system"]) {
    ok(!(await machine.sh(`grep -r '' ${path} || :`)).includes(TEAM_SECRET), `no team secret in ${path}`);
  }
  match(journal, /^<6>ready grpc=/m, "journald gets priorities");
  for (const shell of ["bash-completion/completions/runevault", "zsh/site-functions/_runevault"]) {
    match(await machine.read(`/usr/local/share/${shell}`), /runevault/);
  }
}

/** Issues a token to a user. */
export async function issue(machine: Machine, user: string): Promise<string> {
  const issued = await machine.sh(`runevault token issue --user ${user} --role member --json`);
  return (JSON.parse(issued) as { token: string }).token;
}

/** Asks the vault for a key bundle, as an agent on that machine. */
export async function call(
  machine: Machine,
  { tls }: Pick<Scenario, "tls">,
  token: string,
  authority = `${DATA}/tls/ca.pem`,
): Promise<{ code: number; bundle?: Bundle }> {
  const ca = tls === "off" ? "" : authority;
  const deno = `DENO_DIR=/opt/deno ${denoInside()} run --quiet --cached-only -A`;
  return JSON.parse(await machine.sh(`${deno} ${SOURCE}/tests/install/_call.ts localhost:50051 ${token} ${ca}`));
}

async function assertServed(machine: Machine, scenario: Scenario, token: string): Promise<void> {
  const { code, bundle } = await call(machine, scenario, token);
  equal(code, status.OK);
  const key = Buffer.from(hkdfSync("sha256", TEAM_SECRET, "", bundle!.agent_id, 32)).toString("base64");
  equal(bundle!.agent_dek, key, "the team secret came from the operator's file, by way of the credential");
}

async function installAgain(machine: Machine, args: readonly string[]): Promise<void> {
  const before = await machine.listing();
  const pid = await machine.pid();
  const { code, stdout, stderr } = await machine.install(...args);
  equal(code, 0, stderr);
  match(stdout, /^already running$/m);
  ok(!/^(wrote|made) /m.test(stdout), stdout);
  deepEqual(await machine.listing(), before);
  equal(await machine.pid(), pid, "the service was not restarted");
}

async function uninstallKeepingData(machine: Machine, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await machine.install("--uninstall");
  equal(code, 0, stderr);
  match(stdout, /kept \/var\/lib\/runevault and \/etc\/runevault/);
  const left = (await machine.listing()).filter((line) => /runevault/.test(line) && !line.startsWith(DATA));
  deepEqual(left.map((line) => line.split(" ")[0]), [
    "/etc/runevault",
    "/etc/runevault/credentials",
    "/etc/runevault/credentials/team-secret",
    "/etc/runevault/runevault.yml",
  ]);
  const again = await machine.install(...args);
  equal(again.code, 0, again.stderr);
}

async function purge(machine: Machine, before: readonly string[]): Promise<void> {
  equal((await machine.install("--uninstall", "--purge")).code, 0);
  const left = (await machine.listing()).filter((line) => !before.includes(line));
  deepEqual(left.filter((line) => /runevault/.test(line)), []);
  equal(await machine.sh("id runevault 2>&1 || :"), "id: ‘runevault’: no such user\n");
  equal((await machine.install("--uninstall", "--purge")).code, 0, "what is gone may be taken away again");
}
