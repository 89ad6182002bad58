/**
 * The shell that a page's commands run in: one for the page, in a copy of this repository, with a new home and a network
 * of its own, so that every page has the default ports to itself and whatever it leaves running ends with it.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url).pathname;
const LEFT_OUT = new Set([".git", "dist", "node_modules", "coverage"]);

/** The command of a page that needs a runtime to compile in: see {@link canCompile}. */
export const COMPILE = "./denow task compile";

/** No command of a page takes longer; compiling takes 15 s, and some minutes on a machine that is busy. */
const COMMAND_MS = 300_000;
const BACKGROUND_MS = 60_000;

const NAMESPACES = [
  // Root keeps its other users (a database server is started as one); others become root of what is theirs.
  ...(Deno.uid() === 0 ? [] : ["--map-root-user"]),
  "--net",
  "--mount",
  "--pid",
  "--fork",
  "--mount-proc",
  "--kill-child=KILL",
];

/** Reads commands that end with NUL; answers each with its output, NUL, its exit code, NUL. */
const DRIVER = `
ip link set lo up
exec 3<&0 0</dev/null 2>&1
while IFS= read -r -d '' command <&3; do
  eval "$command" 3<&-
  printf '\\0%s\\0' "$?"
done`;

/** Where a page's reader is taken to live. */
export const HOME = "/home/op";

/** A page's shell. Dispose of it when done: all that it started ends. */
export class PageShell implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #pending = "";
  #backgrounds = 0;

  private constructor(folder: string, child: Deno.ChildProcess) {
    this.#folder = folder;
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Makes the folders and starts the shell. */
  static async start(): Promise<PageShell> {
    const folder = await Deno.makeTempDir({ prefix: "runevault-page-" });
    const environment = await preparedFolders(folder);
    const child = new Deno.Command("unshare", {
      args: [...NAMESPACES, "bash", "-c", DRIVER],
      cwd: environment.PWD,
      env: environment,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new PageShell(folder, child);
  }

  /** The home folder of this run. */
  get home(): string {
    return `${this.#folder}/home`;
  }

  /** Runs a command and returns what it printed, as a terminal shows it. */
  async run(command: string): Promise<string[]> {
    await this.#input.write(new TextEncoder().encode(`${command.replaceAll(HOME, this.home)}\0`));
    const lines = this.#lines(await this.#answer());
    if (command === COMPILE) await this.#putPinnedRuntimeInPlace();
    return lines;
  }

  /**
   * Runs a command that ends with `&`.
   *
   * @param isEnough Whether these lines are all that the page shows of it; asked until it is so, or for half a minute.
   */
  async runBehind(command: string, isEnough: (lines: readonly string[]) => boolean): Promise<string[]> {
    const file = `${this.#folder}/background-${++this.#backgrounds}`;
    await this.run(`exec 4>&1 >${file} 2>&1\n${command}\nexec >&4 2>&1 4>&-`);
    const end = Date.now() + BACKGROUND_MS;
    for (;;) {
      const lines = this.#lines(await Deno.readTextFile(file));
      if (isEnough(lines) || Date.now() > end) return lines;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Writes a file that the page shows. */
  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.#folder}/home/runevault/${name}`, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#output.cancel();
    // Closing its input ends the shell, and with it the namespace and all that runs there.
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }

  #lines(printed: string): string[] {
    const text = printed.replaceAll(this.home, HOME).replace(/\n+$/, "");
    return text === "" ? [] : text.split("\n");
  }

  async #answer(): Promise<string> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), COMMAND_MS);
    try {
      for (;;) {
        const [printed, code, rest] = this.#pending.split("\0");
        if (code !== undefined && rest !== undefined) {
          this.#pending = rest;
          return printed!;
        }
        const { value, done } = await this.#output.read();
        if (done) throw new Error(`The shell ended, or took longer than ${COMMAND_MS} ms: ${this.#pending}`);
        this.#pending += value;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** A runtime before 2.7.13 can't serve TLS; the same program under the pinned Deno takes the binary's place. */
  async #putPinnedRuntimeInPlace(): Promise<void> {
    const binary = `${this.home}/runevault/dist/runevault`;
    await Deno.remove(binary).catch(ignoreMissing);
    await Deno.symlink(`${this.home}/.local/bin/runevault`, binary);
  }
}

/** A compilation that failed printed why, and the page says something else. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

interface PageEnvironment extends Record<string, string> {
  readonly PWD: string;
}

/** A copy of the repository, and the program on the PATH: the source under the Deno that runs the tests. */
async function preparedFolders(folder: string): Promise<PageEnvironment> {
  const [copy, bin] = [`${folder}/home/runevault`, `${folder}/home/.local/bin`];
  await Deno.mkdir(copy, { recursive: true });
  await Deno.mkdir(bin, { recursive: true });
  const names = [...Deno.readDirSync(ROOT)].map(({ name }) => name).filter((name) => !LEFT_OUT.has(name));
  await finished("cp", ["-R", ...names.map((name) => ROOT + name), copy]);
  await Deno.writeTextFile(
    `${bin}/runevault`,
    `#!/bin/sh\nexec ${Deno.execPath()} run --quiet --cached-only -A ${ROOT}main.ts "$@"\n`,
    { mode: 0o755 },
  );
  await Deno.symlink(Deno.execPath(), `${bin}/deno`);
  const kept = ["DENORT_BIN", "LANG", "TMPDIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(kept),
    HOME: `${folder}/home`,
    PWD: copy,
    PATH: `${bin}:${Deno.env.get("PATH")}`,
    DENO_DIR: await denoDir(),
    RUNEVAULT_DATA_DIR: `${folder}/home/vault`,
    RUNEVAULT_LOG_FORMAT: "text",
    NO_COLOR: "1",
    TZ: "UTC",
  };
}

/** Whether this machine has what a binary is compiled in: a runtime that is named, or one that was downloaded before. */
export async function canCompile(): Promise<boolean> {
  if (Deno.env.has("DENORT_BIN")) return true;
  const folder = `${await denoDir()}/dl/release/v${Deno.version.deno}`;
  return await Deno.stat(`${folder}/denort-${Deno.build.target}.zip`).then((file) => file.isFile, () => false);
}

/** Whether this machine can give a page a network of its own, and has the programs that pages use. */
export async function canRunPages(): Promise<boolean> {
  const probe = "ip link set lo up && command -v curl jq";
  try {
    return (await new Deno.Command("unshare", { args: [...NAMESPACES, "bash", "-c", probe] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function denoDir(): Promise<string> {
  return (JSON.parse(await finished(Deno.execPath(), ["info", "--json"])) as { denoDir: string }).denoDir;
}

async function finished(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
