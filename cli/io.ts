/**
 * What a command may touch besides the admin API: the three streams, the environment, the user id. Tests pass their
 * own, so that output and exit codes are asserted without a process.
 *
 * @module
 */

import { Progress } from "./progress.ts";
import { forTerminal, type Terminal, wantsColors } from "./terminal.ts";
import { VaultError } from "../vault/errors.ts";

/** The surroundings of one run of the command line. */
export interface Io {
  readonly stdin: ReadableStream<Uint8Array>;
  /** Writes to standard output. Throws {@link OutputClosed} when nobody reads it any more. */
  out(text: string): Promise<void>;
  /** Writes to standard error. */
  err(text: string): Promise<void>;
  env(name: string): string | undefined;
  /** Takes a secret out of the environment once it was read: what this process starts or dumps shows it no more. */
  forget(name: string): void;
  /** Reads a secret: typed without being shown where there is a terminal, else the first line of standard input. */
  secret(prompt: string): Promise<string>;
  /** Says what is being done, for a terminal to show once it takes a second; null: it is done. */
  progress(what: string | null): void;
  /** Whether somebody sits at a terminal and types. */
  readonly isInteractive: boolean;
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
  const env = (name: string) => Deno.env.get(name);
  const progress = progressOn(Deno.stderr);
  const shown = (stream: Stream, writer: TextWriter) => {
    const terminal = terminalOf(stream, env);
    return (text: string) => {
      progress?.clear();
      return writer.write(terminal === null ? text : forTerminal(text, terminal));
    };
  };
  const secret = (prompt: string) =>
    Deno.stdin.isTerminal() ? typedSecret(prompt, err) : firstLine(Deno.stdin.readable);
  return {
    get stdin() {
      return Deno.stdin.readable;
    },
    out: shown(Deno.stdout, out),
    err: shown(Deno.stderr, err),
    env,
    forget: (name) => Deno.env.delete(name),
    secret: (prompt) => progress === null ? secret(prompt) : progress.aside(() => secret(prompt)),
    progress: (what) => progress?.tell(what),
    isInteractive: Deno.stdin.isTerminal(),
    uid: Deno.uid(),
    width: terminalWidth(),
  };
}

type Stream = typeof Deno.stdout | typeof Deno.stderr;

/** Null where a stream is no terminal. */
function terminalOf(stream: Stream, env: Io["env"]): Terminal | null {
  return stream.isTerminal() ? { width: columns(), hasColors: wantsColors(env) } : null;
}

function progressOn(stream: Stream): Progress | null {
  if (!stream.isTerminal()) return null;
  // At once: the process may end right after the line was taken away.
  const write = (text: string) => void stream.writeSync(new TextEncoder().encode(text));
  return new Progress({ width: columns(), write, now: () => performance.now() });
}

/** Longer ones are no passwords. */
const MAX_SECRET_BYTES = 4096;
const [CTRL_C, CTRL_D, BACKSPACE, LF, CR, DELETE] = [3, 4, 8, 10, 13, 127];

/** The first line of a stream. */
export async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const bytes: number[] = [];
  for await (const chunk of stream) {
    const end = chunk.indexOf(LF);
    bytes.push(...chunk.subarray(0, end === -1 ? MAX_SECRET_BYTES : end));
    if (end !== -1 || bytes.length > MAX_SECRET_BYTES) break;
  }
  return new TextDecoder().decode(Uint8Array.from(bytes)).replace(/\r$/, "");
}

/** What is typed until the line ends; nothing of it is shown. */
async function typedSecret(prompt: string, err: TextWriter): Promise<string> {
  // Before the prompt: whoever types as soon as they see it must not see what they type.
  Deno.stdin.setRaw(true);
  try {
    await err.write(prompt);
    const bytes: number[] = [];
    const buffer = new Uint8Array(64);
    for (;;) {
      const length = await Deno.stdin.read(buffer) ?? 0;
      for (const byte of buffer.subarray(0, length)) {
        if (byte === LF || byte === CR || byte === CTRL_D) return new TextDecoder().decode(Uint8Array.from(bytes));
        if (byte === CTRL_C) throw new VaultError("usage", "Interrupted");
        if (byte === BACKSPACE || byte === DELETE) dropCharacter(bytes);
        else if (bytes.length < MAX_SECRET_BYTES) bytes.push(byte);
      }
      if (length === 0) return new TextDecoder().decode(Uint8Array.from(bytes));
    }
  } finally {
    Deno.stdin.setRaw(false);
    await err.write("\n");
  }
}

/** Takes the last character of a UTF-8 text away: its later bytes are 0b10xxxxxx. */
export function dropCharacter(bytes: number[]): void {
  while ((bytes.pop() ?? 0) >> 6 === 0b10);
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
  return Math.min(columns(), DEFAULT_WIDTH);
}

/** A terminal that doesn't know its size says 0. */
function columns(): number {
  return Deno.consoleSize().columns || DEFAULT_WIDTH;
}
