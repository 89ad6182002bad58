/**
 * `runevault doctor` and `runevault upgrade --check`
 *
 * @module
 */

import type { Finding, UpgradeReport } from "../../server/maintenance/mod.ts";
import { VaultError } from "../../vault/errors.ts";
import { escapeControls, facts } from "../format.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { repeated } from "../repeated.ts";
import { dataDirOf, isServing } from "../session.ts";

const LEVELS = `
Each finding comes with what to do about it. The exit code is 0 with nothing or with warnings only, 1 with a problem.
Run it as the user that the server runs as.
`;

/** Adds the commands that examine a vault. */
export function addDoctorCommands(root: Root, context: CliContext): void {
  const { io } = context;
  root.command("doctor").description("Look for what is wrong with a vault, running or stopped; changes nothing.")
    .option("--audit-key <FILE>", "a first key of the audit trail (audit.k0), to check its MACs with", repeated, [])
    .addHelpText("after", LEVELS + examples("runevault doctor", "runevault doctor --audit-key /media/stick/audit.k0"))
    .action(async ({ auditKey }, command) => {
      const globals = command.optsWithGlobals();
      const { doctor } = await import("../../server/maintenance/mod.ts");
      const findings = await doctor({ data_dir: dataDirOf(io, globals) }, await isServing(io, globals), auditKey);
      await io.out(globals.json ? `${JSON.stringify({ findings })}\n` : findings.map(showFinding).join(""));
      context.exitCode = findings.some(({ level }) => level === "problem") ? 1 : 0;
    });

  root.command("upgrade").description("Say whether this version of the program can take over the data folder.")
    .option("--check", "try it on a copy; the upgrade itself is the next start of `runevault serve`")
    .addHelpText("after", examples("runevault upgrade --check"))
    .action(async ({ check }, command) => {
      if (check !== true) {
        throw new VaultError("usage", "Give --check", {
          hint: "the upgrade itself is the next start of `runevault serve`; make a backup before it",
        });
      }
      const globals = command.optsWithGlobals();
      const { checkUpgrade } = await import("../../server/maintenance/mod.ts");
      const report = await checkUpgrade({ data_dir: dataDirOf(io, globals) });
      await io.out(globals.json ? `${JSON.stringify(report)}\n` : showUpgrade(report));
    });
}

const MARKS = { ok: "ok", warning: "WARNING", problem: "PROBLEM" } as const;

function showFinding({ check, level, message, remedy }: Finding): string {
  const line = `${MARKS[level].padEnd(7)}  ${check.padEnd(11)}  ${escapeControls(message)}\n`;
  return remedy === null ? line : `${line}${" ".repeat(22)}→ ${escapeControls(remedy)}\n`;
}

function showUpgrade({ program, schema, newest, steps, records }: UpgradeReport): string {
  return facts([
    ["This program", program],
    ["Schema", schema === newest ? `${schema}, today's` : `${schema}, and this program's is ${newest}`],
    ["Steps", steps.length === 0 ? "none" : steps.join("; ")],
    ["Records", `${records}, each read`],
    ["Verdict", "this program can serve it: stop the old one, start this one"],
  ]);
}
