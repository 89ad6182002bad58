/**
 * The machines in the clouds: what they are told to do is done here, on a machine of the test's own.
 *
 * @module
 */

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { Buffer } from "node:buffer";
import { parse } from "yaml";
import { temporaryFolder } from "../started_server.ts";
import { ignoreInstall, Machine } from "./_machine.ts";
import { hasCommand, missingCommands } from "./_programs.ts";
import { call, issue } from "./_scenario.ts";
import { type Inputs, renderByTerraform, renderUserData, terraform } from "./_user_data.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url).pathname;
const TEAM_SECRET = "what the team has always sealed with";

/** No Debian package has Terraform: with none here, its own checks are left to where there is one. */
const ignoreTerraform = !hasCommand("terraform");

async function inputs(cloud: string, more: Inputs = {}): Promise<Inputs> {
  return {
    runevault_url: "https://example.org/runevault-0.1.0-linux-x64",
    runevault_sha256: "0".repeat(64),
    fetch_secret: await Deno.readTextFile(`${DEPLOY}${cloud}/fetch-secret.sh`),
    ...more,
  };
}

interface UserData {
  readonly packages: readonly string[];
  readonly write_files: readonly { path: string; permissions: string; content: string }[];
  readonly runcmd: readonly (readonly string[])[];
}

/** Does what cloud-init would: writes the files, runs the commands. Packages are here already. */
async function firstStart(machine: Machine, userData: string) {
  const { write_files, runcmd } = parse(userData) as UserData;
  for (const { path, permissions, content } of write_files) {
    await machine.write(path, content, parseInt(permissions, 8));
  }
  for (const command of runcmd) {
    const done = await machine.root.run(command, { env: { RUNEVAULT_SETUP_TRIES: "1" } });
    if (done.code !== 0) return done;
  }
  return { code: 0, stdout: "", stderr: "" };
}

/** Stands in for the cloud's command line: secrets by their ids, as AWS's prints them. */
async function writeAws(machine: Machine, secrets: Record<string, string>): Promise<void> {
  const cases = Object.keys(secrets).map((id, index) => `*"--secret-id ${id} "*) cat /opt/secret-${index} ;;`);
  for (const [index, text] of Object.values(secrets).entries()) {
    await machine.write(`/opt/secret-${index}`, text, 0o600);
  }
  await machine.writeProgram("/opt/stand-in/aws", `case "$* " in\n${cases.join("\n")}\n*) exit 254 ;;\nesac`);
}

async function launcherInputs(machine: Machine): Promise<Inputs> {
  const path = await machine.launcher();
  const sum = (await machine.sh(`sha256sum <${path}`)).slice(0, 64);
  return { runevault_url: `file://${path}`, runevault_sha256: sum, allow_unsigned: true };
}

const TEAM_ARN = "arn:aws:secretsmanager:eu-central-1:1:secret:team";
const KEY_ARN = "arn:aws:secretsmanager:eu-central-1:1:secret:key";

Deno.test({
  name: "the first start of a machine fetches the team secret, installs and serves TLS; the secret is nowhere else",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    await writeAws(machine, { [TEAM_ARN]: `${TEAM_SECRET}\n` });
    const more = { ...await launcherInputs(machine), team_secret_id: TEAM_ARN, tls_hostname: "vault.example.org" };
    const userData = await renderUserData(await inputs("aws", more));
    const { code, stdout, stderr } = await firstStart(machine, userData);
    equal(code, 0, stdout + stderr);
    const { bundle } = await call(machine, { tls: "auto" }, await issue(machine, "alice"));
    const key = Buffer.from(hkdfSync("sha256", TEAM_SECRET, "", bundle!.agent_id, 32)).toString("base64");
    equal(bundle!.agent_dek, key);
    const found = await machine.sh(
      `grep -rlF '${TEAM_SECRET}' /etc /var/lib/runevault /opt/runevault /dev/shm /tmp /run || :`,
    );
    deepEqual(found.trim().split("\n").sort(), [
      "/etc/runevault/credentials/team-secret",
      "/run/credentials/runevault.service/team-secret",
    ]);
    match(await machine.read("/etc/systemd/system/runevault.service.d/metadata.conf"), /IPAddressDeny=169.254.169.254/);
    const again = await machine.root.run(["sh", "/opt/runevault/setup.sh"]);
    equal(again.code, 0, again.stderr);
    match(again.stdout, /already running/);
  },
});

Deno.test({
  name: "a certificate of the operator's own: its key comes from the store and is the service's alone",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    const make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=localhost";
    await machine.sh(`${make} -addext subjectAltName=DNS:localhost -keyout /opt/own.key -out /opt/own.pem 2>/dev/null`);
    await writeAws(machine, { [KEY_ARN]: await machine.read("/opt/own.key") });
    const own = { tls_mode: "custom", tls_certificate: await machine.read("/opt/own.pem"), tls_key_secret_id: KEY_ARN };
    const userData = await renderUserData(await inputs("aws", { ...await launcherInputs(machine), ...own }));
    const { code, stdout, stderr } = await firstStart(machine, userData);
    equal(code, 0, stdout + stderr);
    equal(await machine.sh("stat -c '%A %U' /etc/runevault/tls/server.key"), "-rw------- runevault\n");
    const served = await call(machine, { tls: "auto" }, await issue(machine, "alice"), "/opt/own.pem");
    equal(served.code, 0);
  },
});

Deno.test({
  name: "a secret that the machine may not read ends the first start, and nothing is installed",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    await writeAws(machine, {});
    const more = { ...await launcherInputs(machine), team_secret_id: TEAM_ARN };
    const { code, stderr } = await firstStart(machine, await renderUserData(await inputs("aws", more)));
    equal(code, 1);
    match(stderr, /can't be fetched: may this machine read it/);
    equal(await machine.sh("ls /usr/local/bin/runevault /etc/runevault 2>/dev/null || :"), "");
    equal(await machine.sh("ls /dev/shm | grep runevault || :"), "");
  },
});

Deno.test({
  name: "S26: with the releases' public key in the module, the first start takes a program that it signed and no other",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    const more = { ...await launcherInputs(machine), allow_unsigned: false };
    await machine.sh("cd /opt && minisign -G -W -p release.pub -s release.key >/dev/null");
    const userData = await renderUserData(await inputs("gcp", more), await machine.read("/opt/release.pub"));
    const unsigned = await firstStart(machine, userData);
    equal(unsigned.code, 1);
    match(unsigned.stderr, /counts as unsigned/);
    await machine.sh("cd /opt && minisign -S -s release.key -m launcher -x launcher.minisig >/dev/null");
    const { code, stdout, stderr } = await firstStart(machine, userData);
    equal(code, 0, stdout + stderr);
    match(await machine.sh("runevault status"), /healthy/);
  },
});

Deno.test({
  name: "the clouds' ways to a secret bring its bytes, and put no access token into an argument",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    const secret = btoa(TEAM_SECRET);
    await machine.writeProgram(
      "/opt/stand-in/curl",
      `echo "$*" >>/opt/arguments
case $* in
  *metadata.google.internal*) echo '{"access_token":"ya29.secret-token"}' ;;
  *"-K - https://secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/latest:access"*)
    grep -q 'Authorization: Bearer ya29.secret-token' && echo '{"payload":{"data":"${secret}"}}' ;;
  *) exit 22 ;;
esac`,
    );
    const answer = `{"data":{"secret-bundle-content":{"content":"${secret}"}}}`;
    await machine.writeProgram(
      "/opt/runevault/oci-cli/bin/oci",
      `case $* in *"--secret-id ocid1.x") echo '${answer}' ;; esac`,
    );
    for (const [cloud, id] of [["gcp", "projects/p/secrets/s"], ["oci", "ocid1.x"]]) {
      await machine.write("/opt/fetch-secret", await Deno.readTextFile(`${DEPLOY}${cloud}/fetch-secret.sh`));
      await machine.sh(`sh /opt/fetch-secret ${id} /opt/got`);
      equal(await machine.read("/opt/got"), TEAM_SECRET, `${cloud} brings its bytes`);
    }
    ok(!(await machine.read("/opt/arguments")).includes("ya29"), "arguments can be seen by all");
  },
});

Deno.test({
  name: "cloud-init finds the user data to be of its form, for every cloud, within what clouds take",
  ignore: missingCommands("cloud-init"),
  async fn() {
    await using folder = await temporaryFolder();
    for (const cloud of ["aws", "gcp", "oci"]) {
      const path = `${folder.path}/${cloud}.yaml`;
      const text = await renderUserData(await inputs(cloud, { team_secret_id: TEAM_ARN, packages: ["jq"] }));
      await Deno.writeTextFile(path, text);
      const { code, stderr } = await new Deno.Command("cloud-init", { args: ["schema", "--config-file", path] })
        .output();
      equal(code, 0, new TextDecoder().decode(stderr));
      const zipped = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
      const { byteLength } = await new Response(zipped).arrayBuffer();
      ok(byteLength < 16_384, `${cloud}: AWS takes 16 KiB, this is ${byteLength}`);
    }
  },
});

Deno.test({
  name: "shellcheck finds nothing in the scripts of deploy/",
  ignore: missingCommands("shellcheck"),
  async fn() {
    const scripts = ["cloud-init/setup.sh", "aws/fetch-secret.sh", "gcp/fetch-secret.sh", "oci/fetch-secret.sh"];
    const { code, stdout } = await new Deno.Command("shellcheck", { args: scripts.map((path) => DEPLOY + path) })
      .output();
    equal(code, 0, new TextDecoder().decode(stdout));
  },
});

Deno.test({
  name: "Terraform finds the modules well formatted, and renders the user data that is tested here",
  ignore: ignoreTerraform,
  async fn() {
    await using folder = await temporaryFolder();
    await terraform(DEPLOY, "fmt", "-check", "-recursive");
    const given = await inputs("gcp", {
      tls_mode: "custom",
      tls_certificate: "<&>\n",
      tls_key_secret_id: "k",
      open_api: true,
    });
    equal(await renderByTerraform(folder.path, given, "a key\n"), await renderUserData(given, "a key\n"));
    await terraform(`${folder.path}/deploy/cloud-init`, "init", "-input=false");
    match(await terraform(`${folder.path}/deploy/cloud-init`, "validate"), /configuration is valid/);
  },
});

Deno.test({
  name: "Terraform refuses inputs that could say more than one thing",
  ignore: ignoreTerraform,
  async fn() {
    const wrong: [name: string, value: string, message: RegExp][] = [
      ["runevault_url", "http://example.org/x", /must be an https/],
      ["runevault_url", "https://example.org@evil.example/x", /without a user/],
      ["runevault_sha256", "0", /64 hexadecimal/],
      ["tls_hostname", "a\nallow_unsigned=true", /host name/],
      ["vault_index_name", "x\nallow_unsigned=true", /no blanks/],
      ["tls_mode", "off", /self-signed, custom or none/],
      ["tls_mode", "custom", /needs tls_key_secret_id/],
    ];
    for (const [name, value, message] of wrong) {
      await using folder = await temporaryFolder();
      await rejects(renderByTerraform(folder.path, await inputs("aws", { [name]: value })), message);
    }
  },
});
