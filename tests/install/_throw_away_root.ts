/**
 * A throw-away root: this machine's files with a layer on top that takes every change, in namespaces of its own.
 *
 * What is installed in it is gone with it; what runs in it ends with it. The source tree lies in it at /opt/source, read-only,
 * and the cache of packages at /opt/deno, where what was compiled once is kept as long as it lasts. Needs root.
 *
 * @module
 */

/** Where the source tree lies in it. */
export const SOURCE = "/opt/source";

const REPOSITORY = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

/** Everything is mounted below a folder of the test's own, and the new root is entered before anything else is done. */
const LAYER = `set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
cd "$1/root"
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p opt/source opt/deno
mount --bind -o ro "$2" opt/source
mkdir "$1/deno" "$1/deno-work"
mount -t overlay -o "lowerdir=$3,upperdir=$1/deno,workdir=$1/deno-work" overlay opt/deno
mount -t proc proc proc
ip link set lo up
`;

/** What the first process of a root is, and what it needs. */
export interface FirstProcess {
  /** Flags of unshare, besides those that every root has. */
  readonly namespaces: readonly string[];
  /** A shell script that goes on in the new root's folder, says `ready` and becomes that process. */
  readonly script: string;
  /** A cgroup to be in, by its folder. */
  readonly cgroup?: string;
}

/** It does nothing: what is run there is all there is. */
const IDLE: FirstProcess = {
  namespaces: [],
  script: `mount --rbind /dev dev
mkdir -p run/systemd/system
exec chroot . sh -c 'echo ready; exec sleep infinity'
`,
};

/** Enters a cgroup, where one is named. */
const ENTER = `[ -z "$0" ] || echo $$ >"$0/cgroup.procs"; exec unshare "$@"`;

/** Output of a command in it. */
export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A root of its own, with its own processes and its own network. */
export class ThrowAwayRoot {
  readonly #folder: string;
  readonly #holder: Deno.ChildProcess;
  readonly #inner: number;

  private constructor(folder: string, holder: Deno.ChildProcess, inner: number) {
    this.#folder = folder;
    this.#holder = holder;
    this.#inner = inner;
  }

  /** Makes one; throws with what the system said where it can't. */
  static async make(first: FirstProcess = IDLE): Promise<ThrowAwayRoot> {
    // A command that another test ran in this process may have left its own: a system's folders are for all to read.
    Deno.umask(0o022);
    const folder = await Deno.makeTempDir({ prefix: "runevault-root-" });
    const namespaces = [...first.namespaces, "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"];
    const setUp = ["sh", "-c", LAYER + first.script, "sh", folder, REPOSITORY, await denoDir()];
    const holder = new Deno.Command("sh", {
      args: ["-c", ENTER, first.cgroup ?? "", ...namespaces, ...setUp],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = holder.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    const said = new TextDecoder().decode(value);
    if (said === "ready\n") return new ThrowAwayRoot(folder, holder, await onlyChildOf(holder.pid));
    await holder.stdout.cancel();
    await holder.status;
    await Deno.remove(folder);
    throw new Error(`no throw-away root: ${said}`);
  }

  /** Runs a command in it, as root or as a user, with an environment of its own. */
  async run(command: readonly string[], options: { user?: string; env?: Record<string, string> } = {}): Promise<Done> {
    const { user, env = {} } = options;
    const asUser = user === undefined ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--"];
    const variables = Object.entries({ ...ENVIRONMENT, ...env }).map(([name, value]) => `${name}=${value}`);
    const namespaces = ["-t", `${this.#inner}`, "-m", "-p", "-n", "-r"];
    const { code, stdout, stderr } = await new Deno.Command("nsenter", {
      args: [...namespaces, "env", "-i", "--chdir=/", ...variables, ...asUser, ...command],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  }

  /** The outside's path of a file in it. */
  path(inside: string): string {
    return `/proc/${this.#inner}/root${inside}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.status;
    await this.#holder.stdout.cancel();
    await Deno.remove(this.#folder);
  }
}

const ENVIRONMENT = {
  PATH: "/opt/stand-in:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
  DENO_DIR: "/opt/deno",
};

/** The process that holds the namespaces is the first in them, and the one child of the one that made them. */
async function onlyChildOf(pid: number): Promise<number> {
  return Number((await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`)).trim());
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return (JSON.parse(new TextDecoder().decode(stdout)) as { denoDir: string }).denoDir;
}

/** Deno, as a path in it. */
export function denoInside(): string {
  const path = Deno.execPath();
  return path.startsWith(`${REPOSITORY}/`) ? SOURCE + path.slice(REPOSITORY.length) : path;
}
