/**
 * A machine to install on: a throw-away root in which `systemctl` and `journalctl` work, or one that systemd booted.
 *
 * @module
 */

import { dirname } from "node:path";
import { SystemdRoot } from "./_systemd_root.ts";
import { denoInside, type Done, SOURCE, ThrowAwayRoot } from "./_throw_away_root.ts";

/** Whether the tests that need root and these programs are left out here. */
export const ignoreInstall = Deno.env.get("RUNEVAULT_TEST_ALL") !== "1" && Deno.uid() !== 0;

/** What differs between a machine that systemd booted and one where something stands in for it. */
interface Manager {
  /** Prints the process of the service. */
  readonly pid: string;
  /** Prints its log, each line with its priority as `<6>` before it. */
  readonly journal: string;
}

const STAND_IN: Manager = { pid: "cat /run/stand-in/pid", journal: "cat /run/stand-in/journal" };

const SYSTEMD: Manager = {
  pid: "systemctl show --property=MainPID --value runevault",
  journal: `journalctl -u runevault -o json --no-pager | jq -r '"<\\(.PRIORITY)>\\(.MESSAGE)"'`,
};

/** A machine without RuneVault. */
export class Machine {
  readonly root: ThrowAwayRoot;
  readonly #manager: Manager;
  readonly #systemd: SystemdRoot | undefined;

  private constructor(root: ThrowAwayRoot, manager: Manager, systemd?: SystemdRoot) {
    this.root = root;
    this.#manager = manager;
    this.#systemd = systemd;
  }

  /** Boots one with systemd. */
  static async boot(): Promise<Machine> {
    const systemd = await SystemdRoot.boot();
    return new Machine(systemd.root, SYSTEMD, systemd);
  }

  /** Makes one with a stand-in for systemd. */
  static async make(): Promise<Machine> {
    const machine = new Machine(await ThrowAwayRoot.make(), STAND_IN);
    const systemctl = `exec ${denoInside()} run --quiet --cached-only -A ${SOURCE}/tests/install/_systemctl.ts "$@"`;
    await machine.writeProgram("/opt/stand-in/systemctl", systemctl);
    await machine.writeProgram("/opt/stand-in/journalctl", "tail -n 15 /run/stand-in/journal");
    return machine;
  }

  /** Puts a shell script there that may be run. */
  async writeProgram(path: string, script: string): Promise<void> {
    await this.write(path, `#!/bin/sh\n${script}\n`, 0o755);
  }

  /** Copies a file of the outside there. */
  async bring(file: string, path: string): Promise<string> {
    await Deno.copyFile(file, this.root.path(path));
    await Deno.chmod(this.root.path(path), 0o755);
    return path;
  }

  /** A program that is this source under the pinned Deno, for where the compiled one can't serve gRPC over TLS. */
  async launcher(): Promise<string> {
    const run = `DENO_DIR=/opt/deno exec ${denoInside()} run --quiet --cached-only -A ${SOURCE}/main.ts "$@"`;
    await this.writeProgram("/opt/launcher", run);
    return "/opt/launcher";
  }

  /** Writes a file. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const outside = this.root.path(path);
    await Deno.mkdir(dirname(outside), { recursive: true });
    await Deno.writeTextFile(outside, text);
    await Deno.chmod(outside, mode);
  }

  /** Reads a file. */
  read(path: string): Promise<string> {
    return Deno.readTextFile(this.root.path(path));
  }

  /** Runs install.sh. */
  install(...args: string[]): Promise<Done> {
    return this.root.run(["sh", `${SOURCE}/install.sh`, ...args]);
  }

  /** As {@link install}, by a user that has a home folder. */
  installAs(user: string, ...args: string[]): Promise<Done> {
    const env = { HOME: `/home/${user}`, XDG_RUNTIME_DIR: `/run/user/${user}` };
    return this.root.run(["sh", `${SOURCE}/install.sh`, ...args], { user, env });
  }

  /** Runs a command, which must end well; returns what it printed. */
  async sh(command: string, options: { user?: string } = {}): Promise<string> {
    const { code, stdout, stderr } = await this.root.run(["sh", "-c", command], options);
    if (code !== 0) throw new Error(`${command}: ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** The process of the service. */
  async pid(): Promise<number> {
    return Number(await this.sh(this.#manager.pid));
  }

  /** The service's log, each line with its priority as `<6>` before it. */
  journal(): Promise<string> {
    return this.sh(this.#manager.journal);
  }

  /**
   * Every file and folder of the places that an installation may touch, with mode and owner.
   *
   * What stood there before counts, so that two listings show what came and what went.
   */
  async listing(): Promise<string[]> {
    const places = "/usr/local /etc /var/lib/runevault /opt/stand-in";
    const found = await this.sh(`find ${places} -printf '%p %M %u:%g %l\\n' 2>/dev/null || :`);
    // Programs of the system write these when a user comes or goes.
    const isTheirs = /^\/etc\/(passwd|shadow|group|gshadow|subuid|subgid)-? |^\/etc\/\.pwd\.lock|^\/etc /;
    return found.split("\n").filter((line) => line !== "" && !isTheirs.test(line)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#systemd ?? this.root)[Symbol.asyncDispose]();
  }
}
