/**
 * `runevault serve`: the one command that loads the server, and only when it runs.
 *
 * @module
 */

import { Option } from "@commander-js/extra-typings";
import { type ConfigOption, SERVE_OPTIONS } from "../../server/config_options.ts";
import { wholeNumber } from "../numbers.ts";
import { type CliContext, examples, type Root } from "../program.ts";

const SOURCES = `
Here --data-dir says where the server keeps its data, --admin-addr and --admin-socket where its admin API listens
(127.0.0.1:8081 and <data>/admin.sock; \`off\` turns one off).
Each option is also an environment variable and a key of runevault.yml: --grpc-addr, RUNEVAULT_GRPC_ADDR, grpc_addr.
Flags beat the environment, the environment beats the file.
`;

/** Adds the command that runs the server; its flags are the server's table of settings. */
export function addServeCommand(root: Root, context: CliContext): void {
  const serve = root.command("serve").description("Run the server until it is told to stop.")
    .addHelpText("after", SOURCES + examples("runevault serve --dev", "runevault serve --data-dir /var/lib/runevault"));
  const ofEveryCommand = new Set(root.options.map((option) => option.long));
  for (const setting of flags()) if (!ofEveryCommand.has(setting.flag)) serve.addOption(toOption(setting));
  serve.action(async (_options, command) => {
    const { serve } = await import("../../server/daemon.ts");
    const values = byKey(command.optsWithGlobals());
    context.exitCode = await serve(values, { error: (line) => void context.io.err(`${line}\n`) });
    // The program exits next, and would take with it what still waits to be written: the reason of a refusal.
    await context.io.err("");
  });
}

/** A secret has no flag: arguments are seen by every user of the machine. */
function flags(): readonly ConfigOption[] {
  return SERVE_OPTIONS.filter((setting) => setting.secret !== true);
}

function toOption(setting: ConfigOption): Option {
  const { flag, help, type } = setting;
  const option = new Option(type === "boolean" ? flag : `${flag} <${setting.placeholder ?? "VALUE"}>`, help);
  if (type === "integer") return option.argParser(wholeNumber(flag));
  if (type === "list") return option.argParser(append);
  return option;
}

function append(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Only what was given, under the names that the server has for it. */
function byKey(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = flags().map(({ key, flag }) => [key, options[new Option(flag).attributeName()]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
