/**
 * What a command may touch besides the admin API: the three streams, the environment, the user id. Tests pass their
 * own, so that output and exit codes are asserted without a process.
 *
 * @module
 */

/** The surroundings of one run of the command line. */
export interface Io {
  readonly stdin: ReadableStream<Uint8Array>;
  /** Writes to standard output. Throws {@link OutputClosed} when nobody reads it any more. */
  out(text: string): Promise<void>;
  /** Writes to standard error. */
  err(text: string): Promise<void>;
  env(name: string): string | undefined;
  /** Null where users have no ids. */
  readonly uid: number | null;
  /** The width that help is wrapped to, in columns. */
  readonly width: number;
}

/** The reader of standard output has had enough, as `head` has. Nothing is wrong. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

const DEFAULT_WIDTH = 100;

/** The surroundings of this process. */
export function processIo(): Io {
  const out = new TextWriter(Deno.stdout);
  const err = new TextWriter(Deno.stderr);
  return {
    get stdin() {
      return Deno.stdin.readable;
    },
    out: (text) => out.write(text),
    err: (text) => err.write(text),
    env: (name) => Deno.env.get(name),
    uid: Deno.uid(),
    width: terminalWidth(),
  };
}

/** Writes whole texts in the order in which they were given, also when nobody waits for one before the next. */
class TextWriter {
  readonly #stream: { write(bytes: Uint8Array): Promise<number> };
  readonly #encoder = new TextEncoder();
  #before: Promise<void> = Promise.resolve();

  constructor(stream: { write(bytes: Uint8Array): Promise<number> }) {
    this.#stream = stream;
  }

  write(text: string): Promise<void> {
    this.#before = this.#before.then(() => this.#writeAll(this.#encoder.encode(text)));
    return this.#before;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#stream.write(bytes.subarray(at));
    } catch (error) {
      throw error instanceof Deno.errors.BrokenPipe ? new OutputClosed("Nobody reads the output") : error;
    }
  }
}

/** The terminal's width; a fixed one where the output is no terminal, so that what is piped is the same everywhere. */
function terminalWidth(): number {
  if (!Deno.stdout.isTerminal()) return DEFAULT_WIDTH;
  return Math.min(Deno.consoleSize().columns, DEFAULT_WIDTH);
}
