/**
 * Starts a real vault for a test: from source, or the compiled binary where `RUNEVAULT_BINARY` names one; with as many
 * threads as `RUNEVAULT_TEST_WORKERS` says.
 *
 * Every server gets a data folder of its own, free ports, and is stopped by its process id.
 *
 * @module
 */

/** Where a started server listens; see `addresses.json`. */
export interface StartedAddresses {
  readonly grpc: string | null;
  readonly api: string | null;
  readonly admin: string | null;
  readonly admin_socket: string | null;
  readonly metrics: string | null;
}

/** How to start one. */
export interface StartOptions {
  /** The data folder; absent: a fresh temporary one, removed at the end. */
  readonly dataDir?: string;
  /** More arguments of `serve`. */
  readonly args?: readonly string[];
  /** Flags that are given where nothing else is said, and shall not be: `--tls`, `--grpc-addr` and the like. */
  readonly without?: readonly string[];
  /** More environment; it starts from the test's own without what configures a vault. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs the server's command line in its own place, such as `["prlimit", "--nofile=100"]`. */
  readonly under?: readonly string[];
}

/** A program that ran to its end. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = new URL("../main.ts", import.meta.url).pathname;
/** A machine with other work stands still for half a minute now and then. */
const START_MS = 120_000;
/** Calls in flight may take ten seconds to finish. */
const STOP_MS = 20_000;

/** The command line that runs this program: the compiled binary, or the source under the Deno that runs the test. */
export function programCommand(args: readonly string[]): { command: string; args: string[] } {
  const binary = Deno.env.get("RUNEVAULT_BINARY");
  if (binary !== undefined) return { command: binary, args: [...args] };
  return { command: Deno.execPath(), args: ["run", "--quiet", "--cached-only", "-A", MAIN, ...args] };
}

/** Runs a command of the program to its end. */
export async function runProgram(
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; stdin?: string } = {},
): Promise<Finished> {
  const { command, args: all } = programCommand(args);
  const stdin = options.stdin === undefined ? "null" : "piped";
  const child = new Deno.Command(command, {
    args: all,
    env: cleanEnvironment(options.env),
    clearEnv: true,
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** A vault that is serving. */
export class StartedServer {
  readonly dataDir: string;
  readonly addresses: StartedAddresses;
  readonly #child: Deno.ChildProcess;
  readonly #log: LogTail;
  readonly #ownsFolder: boolean;
  #exitCode: number | undefined;

  private constructor(
    dataDir: string,
    addresses: StartedAddresses,
    child: Deno.ChildProcess,
    log: LogTail,
    ownsFolder: boolean,
  ) {
    this.dataDir = dataDir;
    this.addresses = addresses;
    this.#child = child;
    this.#log = log;
    this.#ownsFolder = ownsFolder;
    child.status.then(({ code }) => this.#exitCode = code);
  }

  /** Starts one and waits until it is ready; throws with its log when it is not. */
  static async start(options: StartOptions = {}): Promise<StartedServer> {
    const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "runevault-test-" });
    const { child, log } = spawnServer(dataDir, options);
    try {
      const addresses = await within(log.ready(), START_MS, () => `no "ready" within ${START_MS} ms:\n${log.text}`);
      return new StartedServer(dataDir, addresses, child, log, options.dataDir === undefined);
    } catch (error) {
      await end(child, log);
      throw error;
    }
  }

  /** Starts one that is expected to refuse; resolves with its exit code and log, and throws when it serves. */
  static async refused(options: StartOptions & { dataDir: string }): Promise<{ code: number; log: string }> {
    const { child, log } = spawnServer(options.dataDir, options);
    const serves = log.ready().then(() => new Error(`The server was expected to refuse, and serves:\n${log.text}`));
    const outcome = await within(
      Promise.race([child.status, serves.catch(() => child.status)]),
      START_MS,
      () => `no exit within ${START_MS} ms:\n${log.text}`,
    ).catch((error: Error) => error);
    await end(child, log);
    if (outcome instanceof Error) throw outcome;
    return { code: outcome.code, log: log.text };
  }

  /** Starts one and kills it some milliseconds later, ready or not. */
  static async killedAfter(milliseconds: number, options: StartOptions & { dataDir: string }): Promise<void> {
    const { child, log } = spawnServer(options.dataDir, options);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    await end(child, log);
  }

  /** Everything written to standard error so far. */
  get log(): string {
    return this.#log.text;
  }

  /** Whether the process is gone. */
  get hasEnded(): boolean {
    return this.#exitCode !== undefined;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit code; one that does not end is killed, and the test fails. */
  async exited(): Promise<number> {
    try {
      const { code } = await within(this.#child.status, STOP_MS, () => `no exit within ${STOP_MS} ms:\n${this.log}`);
      return code;
    } finally {
      await end(this.#child, this.#log);
    }
  }

  /** Ends it as a power cut of the process would, keeping the data. */
  async kill(): Promise<void> {
    await end(this.#child, this.#log);
  }

  /** Stops it as an operator would, unless it has ended; returns the exit code. */
  async stop(): Promise<number> {
    if (this.#exitCode === undefined) this.#child.kill("SIGTERM");
    const code = await this.exited();
    if (this.#ownsFolder) await removeFolder(this.dataDir);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A temporary folder that goes with its scope, for data that outlives a server. Dispose of it after the servers. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "runevault-test-" });
  return { path, [Symbol.asyncDispose]: () => removeFolder(path) };
}

async function removeFolder(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Makes sure that a process is gone, and that all it wrote has been read. */
async function end(child: Deno.ChildProcess, log: LogTail): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It had ended by itself.
    if (!(error instanceof TypeError)) throw error;
  }
  await child.status;
  await log.ended;
}

function spawnServer(dataDir: string, options: StartOptions) {
  const listeners = ["--grpc-addr", "--api-addr", "--admin-addr", "--metrics-addr"];
  const ports = listeners.flatMap((flag) => [flag, "127.0.0.1:0"]);
  const workers = Deno.env.get("RUNEVAULT_TEST_WORKERS") ?? "1";
  const defaults = ["--data-dir", dataDir, ...ports, "--tls", "off", "--log-format", "json", "--workers", workers];
  const program = programCommand(["serve", ...withoutOverridden(defaults, options)]);
  const [command, ...args] = [...(options.under ?? []), program.command, ...program.args];
  const child = new Deno.Command(command!, {
    args,
    env: cleanEnvironment(options.env),
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  return { child, log: new LogTail(child.stderr) };
}

/** Later flags replace the defaults rather than stand beside them. */
function withoutOverridden(defaults: readonly string[], { args: given = [], without = [] }: StartOptions): string[] {
  const kept: string[] = [];
  for (let i = 0; i < defaults.length; i += 2) {
    if (!given.includes(defaults[i]!) && !without.includes(defaults[i]!)) kept.push(defaults[i]!, defaults[i + 1]!);
  }
  return [...kept, ...given];
}

/** The environment of the test without what configures a vault, and with more. */
export function cleanEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) =>
    !/^(RUNEVAULT_|VAULT_|ENVECTOR_|EMBEDDING_)/.test(name)
  );
  return { ...Object.fromEntries(kept), ...more };
}

/** Follows a server's log and finds the line that says it is ready. */
class LogTail {
  text = "";
  readonly ended: Promise<void>;
  readonly #ready = Promise.withResolvers<StartedAddresses>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#ready.promise.catch(() => {});
    this.ended = this.#follow(stream);
  }

  ready(): Promise<StartedAddresses> {
    return this.#ready.promise;
  }

  async #follow(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of stream) {
      this.text += decoder.decode(part, { stream: true });
      const line = this.text.split("\n").find((one) => one.includes('"event":"ready"') && one.endsWith("}"));
      if (line !== undefined) this.#ready.resolve(JSON.parse(line) as StartedAddresses);
    }
    this.#ready.reject(new Error(`The server ended before it was ready:\n${this.text}`));
  }
}

async function within<T>(work: Promise<T>, ms: number, describe: () => string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => timer = setTimeout(() => reject(new Error(describe())), ms));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
