/**
 * The root of the command line: what every command has.
 *
 * @module
 */

import { Command, Help, type Option } from "@commander-js/extra-typings";
import { VERSION } from "../version.ts";
import type { Io } from "./io.ts";

/** One run of the command line. */
export interface CliContext {
  readonly io: Io;
  /** What the run ends with when no command failed; `serve` sets it. */
  exitCode: number;
}

/** Options of every command. */
export interface GlobalOptions {
  readonly dataDir?: string | undefined;
  readonly adminAddr?: string | undefined;
  readonly adminSocket?: string | undefined;
  readonly json?: true | undefined;
}

/** What commander wrote instead of printing it: help and the version on one side, errors on the other. */
export interface CommanderOutput {
  out: string;
  err: string;
}

/** The root command with the options of every command; nouns are added by `commands/*.ts`. */
export function createRoot(io: Io, output: CommanderOutput) {
  return new Command("runevault")
    .description("Tokens, roles and keys for a team: one server, one command line.")
    .version(`runevault ${VERSION}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help for a command")
    .helpCommand(false)
    .option("--data-dir <DIR>", "the data folder of the server (env RUNEVAULT_DATA_DIR)")
    .option("--admin-addr <ADDR>", "reach the server at this loopback address only")
    .option("--admin-socket <PATH>", "reach the server at this unix socket only")
    .option("--json", "print the server's answer as JSON; errors too")
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, optionDescription: described })
    .configureOutput({
      writeOut: (text) => void (output.out += text),
      writeErr: (text) => void (output.err += text),
      // What went wrong is printed once, by `run`, with the same words as every other error.
      outputError: () => {},
      getOutHelpWidth: () => io.width,
      getErrHelpWidth: () => io.width,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

/** An option that may be repeated begins with an empty list, which only puzzles whoever reads the help. */
function described(option: Option): string {
  return new Help().optionDescription(option).replace(/ \(default: (?:\[\]|\{\})\)$/, "");
}

/** The root command. */
export type Root = ReturnType<typeof createRoot>;

/** A noun under which commands stand. */
export type Group = ReturnType<Root["command"]>;

/** Examples under a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
