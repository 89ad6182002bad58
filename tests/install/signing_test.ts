/**
 * Signing a release, as the release workflow does it, and installing what was signed.
 *
 * @module
 */

import { equal, match } from "node:assert/strict";
import { ignoreInstall, Machine } from "./_machine.ts";
import { SOURCE } from "./_throw_away_root.ts";

const PROGRAM = `case $1 in --version) echo "runevault 0.0.1" ;; completion) echo "# $2" ;; *) exit 1 ;; esac`;
const FOLDER = "/opt/release";
const FILE = `${FOLDER}/runevault-0.0.1-linux-x64`;

/** A release, and a key that a password guards. */
async function release(machine: Machine): Promise<void> {
  await machine.writeProgram(FILE, PROGRAM);
  await machine.sh(`cd ${FOLDER} && sha256sum runevault-* >SHA256SUMS`);
  await machine.sh("cd /opt && printf 'pass\\npass\\n' | minisign -G -p release.pub -s release.key >/dev/null");
}

function sign(machine: Machine, key = "/opt/release.pub") {
  const command = `printf 'pass\\n' | ${SOURCE}/tasks/sign_release.sh ${FOLDER} /opt/release.key ${key}`;
  return machine.root.run(["sh", "-c", command]);
}

function test(name: string, work: (machine: Machine) => Promise<void>): void {
  Deno.test({
    name,
    ignore: ignoreInstall,
    async fn() {
      await using machine = await Machine.make();
      await release(machine);
      await work(machine);
    },
  });
}

test("every file of a release is signed, its name in the signature, and install.sh takes it", async (machine) => {
  const { code, stdout, stderr } = await sign(machine);
  equal(code, 0, stderr);
  equal(stdout, "signed runevault-0.0.1-linux-x64\nsigned SHA256SUMS\n");
  match(await machine.read(`${FILE}.minisig`), /^trusted comment: runevault runevault-0.0.1-linux-x64$/m);
  const sum = (await machine.read(`${FOLDER}/SHA256SUMS`)).slice(0, 64);
  const url = ["--url", `file://${FILE}`, "--sha256", sum, "--minisign-key", "/opt/release.pub"];
  const installed = await machine.install("--no-start", ...url);
  equal(installed.code, 0, installed.stderr);
  match(installed.stdout, /^signature: good/m);
});

test("a file that changed since its digest was written is not signed", async (machine) => {
  await machine.sh(`echo '# more' >>${FILE}`);
  const { code, stderr } = await sign(machine);
  equal(code, 1);
  match(stderr, /not what SHA256SUMS says/);
  equal(await machine.sh(`ls ${FOLDER}`), "SHA256SUMS\nrunevault-0.0.1-linux-x64\n");
});

test("a key that the published one doesn't fit ends the release", async (machine) => {
  await machine.sh("cd /opt && minisign -G -W -p other.pub -s other.key >/dev/null");
  const { code, stderr } = await sign(machine, "/opt/other.pub");
  equal(code, 1);
  match(stderr, /doesn't fit the key/);
});
