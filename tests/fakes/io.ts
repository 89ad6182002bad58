/**
 * A command line's surroundings in memory.
 *
 * @module
 */

import { firstLine, type Io } from "../../cli/io.ts";

/** What a command wrote. */
export interface FakeIo extends Io {
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** Surroundings with the given standard input and environment, of a user who is not root. */
export function fakeIo(options: { stdin?: string | Uint8Array; env?: Readonly<Record<string, string>> } = {}): FakeIo {
  let out = "";
  let err = "";
  const { stdin = "" } = options;
  const env = new Map(Object.entries(options.env ?? {}));
  const bytes = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
  return {
    stdin: new Blob([bytes.slice()]).stream(),
    out: (text) => Promise.resolve(void (out += text)),
    err: (text) => Promise.resolve(void (err += text)),
    env: (name) => env.get(name),
    forget: (name) => void env.delete(name),
    secret: () => firstLine(new Blob([bytes.slice()]).stream()),
    progress: () => {},
    isInteractive: false,
    uid: 1000,
    width: 100,
    stdout: () => out,
    stderr: () => err,
  };
}
