/**
 * What must not be installed, what must not be followed, and what must be left behind by a failure: nothing.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { ignoreInstall, Machine } from "./_machine.ts";
import { SOURCE } from "./_throw_away_root.ts";

/** Enough of the program to be installed; it is never started. */
const PROGRAM = `case $1 in --version) echo "runevault 0.0.1" ;; completion) echo "# $2" ;; *) exit 1 ;; esac`;

/** Takes `serve` as a program that is broken would: it ends at once. */
const BROKEN = `case $1 in --version) echo "runevault 0.0.2" ;; completion) echo "# $2" ;; *) exit 78 ;; esac`;

function attack(name: string, work: (machine: Machine) => Promise<void>): void {
  Deno.test({
    name: `S26: ${name}`,
    ignore: ignoreInstall,
    async fn() {
      await using machine = await Machine.make();
      await machine.writeProgram("/opt/runevault", PROGRAM);
      await work(machine);
    },
  });
}

/** Runs install.sh, which must refuse, say why, and leave everything as it was. */
async function refused(machine: Machine, why: RegExp, ...args: string[]): Promise<void> {
  const before = await machine.listing();
  const { code, stdout, stderr } = await machine.install("--no-start", ...args);
  equal(code, 1, stdout + stderr);
  match(stderr, why);
  deepEqual(await machine.listing(), before);
  equal(await machine.sh("ls /tmp"), "", "nothing is left in the temporary folder");
}

async function sha256(machine: Machine, path: string): Promise<string> {
  return (await machine.sh(`sha256sum <${path}`)).slice(0, 64);
}

/** A pair of keys by minisign without a password, and the signature of a file by it. */
async function sign(machine: Machine, key: string, file: string): Promise<void> {
  await machine.sh(`cd /opt && [ -f ${key}.key ] || minisign -G -W -f -p ${key}.pub -s ${key}.key >/dev/null 2>&1`);
  await machine.sh(`cd /opt && minisign -S -s ${key}.key -m ${file} -x ${file}.minisig >/dev/null`);
}

attack("a program with another SHA-256 than the operator gave is not installed", async (machine) => {
  const sum = await sha256(machine, "/opt/runevault");
  await machine.writeProgram("/opt/runevault", `${PROGRAM}\n# one line more`);
  await refused(machine, /another SHA-256/, "--from", "/opt/runevault", "--sha256", sum);
  await refused(machine, /another SHA-256/, "--url", "file:///opt/runevault", "--sha256", sum, "--allow-unsigned");
});

attack("a file of the operator's own has its SHA-256 printed", async (machine) => {
  const { code, stdout } = await machine.install("--no-start", "--from", "/opt/runevault");
  equal(code, 0);
  match(stdout, new RegExp(`^SHA-256: ${await sha256(machine, "/opt/runevault")}$`, "m"));
});

attack("an unsigned download is refused, and taken only where that was asked for", async (machine) => {
  const download = ["--url", "file:///opt/runevault", "--sha256", await sha256(machine, "/opt/runevault")];
  await refused(machine, /counts as unsigned: there is no public key/, ...download);
  await sign(machine, "release", "stand-in/systemctl");
  const key = ["--minisign-key", "/opt/release.pub"];
  await refused(machine, /counts as unsigned: there is no .*\.minisig/, ...download, ...key);
  const { code, stderr } = await machine.install("--no-start", ...download, ...key, "--allow-unsigned");
  equal(code, 0, stderr);
  match(stderr, /taken unsigned/);
});

attack("a signature by another key, or of another program, is refused whatever is allowed", async (machine) => {
  const download = ["--url", "file:///opt/runevault", "--sha256", await sha256(machine, "/opt/runevault")];
  const key = ["--minisign-key", "/opt/release.pub"];
  await sign(machine, "release", "runevault");
  await sign(machine, "stranger", "runevault");
  await refused(machine, /the signature is not one of/, ...download, ...key);
  await refused(machine, /the signature is not one of/, ...download, ...key, "--allow-unsigned");
  await machine.writeProgram("/opt/other", BROKEN);
  await sign(machine, "release", "other");
  await machine.sh("mv /opt/other.minisig /opt/runevault.minisig");
  await refused(machine, /the signature is not one of/, ...download, ...key, "--allow-unsigned");
  await sign(machine, "release", "runevault");
  const { code, stdout, stderr } = await machine.install("--no-start", ...download, ...key);
  equal(code, 0, stderr);
  match(stdout, /^signature: good/m);
});

attack("a public key in the folder where a piped script happens to run is not believed", async (machine) => {
  await sign(machine, "stranger", "runevault");
  await machine.sh("mkdir -p /opt/trap/deploy && cp /opt/stranger.pub /opt/trap/deploy/minisign.pub");
  const sum = await sha256(machine, "/opt/runevault");
  const { code, stderr } = await machine.root.run([
    "sh",
    "-c",
    `cd /opt/trap && cat ${SOURCE}/install.sh | sh -s -- --no-start --url file:///opt/runevault --sha256 ${sum}`,
  ]);
  equal(code, 1);
  match(stderr, /counts as unsigned: there is no public key/);
});

attack("a download over loopback follows no redirect out of it", async (machine) => {
  const server = `import http.server as h
class R(h.BaseHTTPRequestHandler):
  def do_GET(self):
    self.send_response(302); self.send_header("Location", "http://127.0.0.1:8099/x"); self.end_headers()
h.HTTPServer(("127.0.0.1", 8098), R).serve_forever()`;
  await machine.write("/opt/redirect.py", server);
  await machine.sh("(setsid /usr/bin/python3 /opt/redirect.py >/dev/null 2>&1 </dev/null &) ; sleep 1");
  const url = ["--url", "http://127.0.0.1:8098/runevault", "--sha256", "0".repeat(64), "--allow-unsigned"];
  await refused(machine, /could not be downloaded/, ...url);
});

attack("links that somebody planted are not followed", async (machine) => {
  const from = ["--from", "/opt/runevault"];
  await machine.sh("mkdir -m 700 /opt/victim && echo precious >/opt/victim/file");
  for (const place of ["/etc/runevault", "/var/lib/runevault"]) {
    await machine.sh(`ln -s /opt/victim ${place}`);
    await refused(machine, /is a symbolic link/, ...from);
    await machine.sh(`rm ${place}`);
  }
  await machine.sh("mkdir -m 777 /etc/runevault");
  await refused(machine, /can be changed by everybody/, ...from);
  await machine.sh("chmod 755 /etc/runevault; chown nobody /etc/runevault");
  await refused(machine, /belongs to another user/, ...from);
  await machine.sh("rmdir /etc/runevault; ln -s /opt/victim/file /usr/local/bin/runevault");
  equal((await machine.install("--no-start", ...from)).code, 0);
  equal(await machine.sh("stat -c %F /usr/local/bin/runevault; cat /opt/victim/file"), "regular file\nprecious\n");
});

attack(
  "root touches nothing in the data folder, which a broken service may have filled with links",
  async (machine) => {
    const from = ["--from", "/opt/runevault"];
    equal((await machine.install("--no-start", ...from)).code, 0);
    await machine.sh("mkdir -m 755 /opt/victim && ln -s /opt/victim /var/lib/runevault/tls");
    const state = "stat -c '%A %U %n' /opt/victim /var/lib/runevault/tls";
    const before = await machine.sh(state);
    equal((await machine.install("--no-start", ...from)).code, 0);
    equal(await machine.sh(state), before);
    equal((await machine.install("--uninstall", "--purge")).code, 0);
    equal(await machine.sh("ls -d /opt/victim"), "/opt/victim\n", "what a link leads to is not taken away");
  },
);

attack("wherever it fails half-way, nothing of it is left", async (machine) => {
  const faults: [name: string, make: string, undo: string, why: RegExp][] = [
    ["a folder in the way", "mkdir /usr/local/bin/runevault", "rmdir /usr/local/bin/runevault", /is a folder/],
    [
      "a file in the way",
      "mkdir -p /usr/local/share/fish && : >/usr/local/share/fish/vendor_completions.d",
      "rm -r /usr/local/share/fish",
      /not a folder/,
    ],
    ["no user", "ln -s /bin/false /opt/stand-in/useradd", "rm /opt/stand-in/useradd", /can't be made/],
    ["enable", ": >/run/stand-in/broken-enable", "rm /run/stand-in/broken-enable", /taking back/],
  ];
  await machine.sh("mkdir -p /run/stand-in");
  for (const [name, make, undo, why] of faults) {
    await machine.sh(make);
    await refused(machine, why, "--from", "/opt/runevault").catch((error) => {
      throw new Error(name, { cause: error });
    });
    await machine.sh(undo);
  }
  await machine.writeProgram("/opt/broken", BROKEN);
  const before = await machine.listing();
  const { code, stderr } = await machine.install("--from", "/opt/broken");
  equal(code, 1);
  match(stderr, /runevault.service did not start[^]*taking back/);
  deepEqual(await machine.listing(), before);
  equal(await machine.sh("id runevault 2>&1 || :"), "id: ‘runevault’: no such user\n");
});

attack("an upgrade that does not start leaves the program, and the service, as they were", async (machine) => {
  await machine.writeProgram("/opt/broken", BROKEN);
  const args = ["--tls", "off", "--grpc-addr", "127.0.0.1:50051"];
  const first = await machine.install("--from", await machine.launcher(), ...args);
  equal(first.code, 0, first.stderr);
  const before = await machine.listing();
  const sum = await sha256(machine, "/usr/local/bin/runevault");
  const { code, stderr } = await machine.install("--from", "/opt/broken");
  equal(code, 1, stderr);
  match(stderr, /taking back/);
  equal(await sha256(machine, "/usr/local/bin/runevault"), sum);
  const isOfTheRun = (line: string) => /^\/var\/lib\/runevault\/./.test(line);
  const kept = (lines: readonly string[]) => lines.filter((line) => !isOfTheRun(line));
  deepEqual(kept(await machine.listing()), kept(before));
  ok((await machine.sh("runevault status")).includes("healthy"), "the old program serves again");
});

attack("a configuration that an operator edited is neither overwritten nor ignored", async (machine) => {
  equal((await machine.install("--no-start", "--from", "/opt/runevault", "--index-name", "one")).code, 0);
  await machine.sh("echo 'fhe_dim: 1024' >>/etc/runevault/runevault.yml");
  await refused(machine, /differs from what these options say/, "--from", "/opt/runevault", "--index-name", "two");
  equal((await machine.install("--no-start", "--from", "/opt/runevault")).code, 0);
  match(await machine.read("/etc/runevault/runevault.yml"), /index_name: "one"\nfhe_dim: 1024\n/);
});

Deno.test({
  name: "S22: plaintext that other machines reach must be asked for: the refusal names the flag, and nothing is left",
  ignore: ignoreInstall,
  async fn() {
    await using machine = await Machine.make();
    const from = await machine.launcher();
    const before = await machine.listing();
    const { code, stderr } = await machine.install("--from", from, "--tls", "off");
    equal(code, 1);
    match(stderr, /--allow-plaintext[^]*taking back what was begun/);
    deepEqual(await machine.listing(), before);
  },
});
