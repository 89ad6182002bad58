/**
 * `./denow task test`: every test that this machine can run; what it can't is named with what it takes.
 *
 * Arguments go to `deno test`. With RUNEVAULT_TEST_ALL=1 nothing may be left out: what can't run fails.
 *
 * @module
 */

import { canCompile, canRunPages } from "../tests/docs/page_shell.ts";

/** Something that some tests need and a plain machine may lack. */
interface Need {
  readonly tests: string;
  readonly isMet: () => Promise<boolean>;
  readonly remedy: string;
}

const NEEDS: readonly Need[] = [
  {
    tests: "certificates checked by another program",
    isMet: () => isCommand("openssl"),
    remedy: "apt-get install openssl",
  },
  {
    tests: "completion in zsh and fish",
    isMet: async () => await isCommand("zsh") && await isCommand("fish"),
    remedy: "apt-get install zsh fish",
  },
  {
    tests: "the recipe by Python's hvac",
    isMet: async () => await hasPython("hvac"),
    remedy: "apt-get install python3-hvac",
  },
  {
    tests: "database accounts on real servers",
    isMet: async () => await isCommand("/usr/sbin/mariadbd") && await hasPostgres(),
    remedy: "apt-get install mariadb-server postgresql",
  },
  {
    tests: "the man page, by those who show man pages",
    isMet: async () => await isCommand("/usr/bin/man") && await isCommand("/usr/bin/mandoc"),
    remedy: "apt-get install man-db mandoc",
  },
  {
    tests: "the commands of README and docs",
    isMet: canRunPages,
    remedy: "apt-get install bash util-linux iproute2 curl jq, and user namespaces unless run as root",
  },
  {
    tests: "the README's compilation",
    isMet: canCompile,
    remedy: "./denow task compile, once, with a network; or DENORT_BIN",
  },
  {
    tests: "the installation, on a throw-away root with signatures",
    isMet: async () =>
      Deno.uid() === 0 && await isCommand("minisign") && await isCommand("useradd") && await hasPython("seccomp"),
    remedy: "run as root, apt-get install minisign passwd curl util-linux systemd python3-seccomp",
  },
  {
    tests: "shell scripts, the systemd units and cloud-init files, checked by the programs made for it",
    isMet: async () =>
      await isCommand("shellcheck") && await isCommand("systemd-analyze") && await isCommand("cloud-init"),
    remedy: "apt-get install shellcheck systemd cloud-init",
  },
  {
    tests: "alert rules checked by Prometheus",
    isMet: () => isCommand("promtool"),
    remedy: "apt-get install prometheus",
  },
  {
    tests: "a disk that is full, on a small file system of its own; a restore for another user",
    isMet: () => Promise.resolve(Deno.uid() === 0),
    remedy: "run as root (no package)",
  },
];

async function hasPython(module: string): Promise<boolean> {
  if (!await isCommand("/usr/bin/python3")) return false;
  const args = ["-c", `import ${module}`];
  return (await new Deno.Command("/usr/bin/python3", { args, stderr: "null" }).output()).success;
}

async function hasPostgres(): Promise<boolean> {
  const versions = await Array.fromAsync(Deno.readDir("/usr/lib/postgresql")).catch(() => []);
  const found = versions.map(({ name }) => isCommand(`/usr/lib/postgresql/${name}/bin/postgres`));
  return (await Promise.all(found)).includes(true);
}

async function isCommand(name: string): Promise<boolean> {
  if (name.startsWith("/")) return await Deno.stat(name).then((file) => file.isFile, () => false);
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const found = await Deno.stat(`${folder}/${name}`).then((file) => file.isFile, () => false);
    if (found) return true;
  }
  return false;
}

/** No Debian package has it: what it alone checks is said, and no reason to fail. */
const WISHES: readonly Need[] = [
  {
    tests: "the Terraform modules' form, and that Terraform renders the user data that is tested",
    isMet: () => isCommand("terraform"),
    remedy: "Terraform 1.11 or newer on PATH",
  },
];

const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "--quiet", "-A", "--ignore=tests/binary", ...Deno.args],
}).spawn()
  .status;
const unmet = [];
for (const need of NEEDS) if (!await need.isMet()) unmet.push(`not run: ${need.tests}; needs: ${need.remedy}\n`);
const wished = [];
for (const wish of WISHES) if (!await wish.isMet()) wished.push(`not run: ${wish.tests}; needs: ${wish.remedy}\n`);
Deno.stdout.writeSync(new TextEncoder().encode([...unmet, ...wished].join("")));
Deno.exit(unmet.length > 0 && Deno.env.get("RUNEVAULT_TEST_ALL") === "1" ? 1 : code);
