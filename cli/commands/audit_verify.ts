/**
 * `runevault audit verify`: whether the trail is whole. The files are read here, with the server running or stopped.
 *
 * @module
 */

import type { AuditHeadBody } from "../../admin/wire.ts";
import { asVaultError, VaultError } from "../../vault/errors.ts";
import { escapeControls, facts } from "../format.ts";
import type { Io } from "../io.ts";
import { type CliContext, examples, type GlobalOptions, type Group } from "../program.ts";
import { connect, dataDirOf } from "../session.ts";

/** Adds the command. */
export function addVerifyCommand(audit: Group, { io }: CliContext): void {
  audit.command("verify").description("Check that no entry was altered, taken out or added; name the first that was.")
    .argument("[files...]", "audit files; those of the data folder where absent")
    .option("--key <FILE>", "the first key (audit.k0); may be repeated", collected, [])
    .addHelpText("after", examples("runevault audit verify --key /media/stick/audit.k0"))
    .action(async (files, { key }, command) => {
      await verify(io, command.optsWithGlobals(), files, key);
    });
}

function collected(value: string, before: string[]): string[] {
  return [...before, value];
}

async function verify(io: Io, globals: GlobalOptions, files: readonly string[], keyFiles: readonly string[]) {
  const { verifyAudit } = await import("../../server/offline_audit.ts");
  const running = await runningTrail(io, globals);
  const found = await verifyAudit({ dataDir: dataDirOf(io, globals), files, keyFiles, running });
  const { broken, broken_text, lines, first, last, checkedKeys, notExcluded, first_key_at } = found;
  if (globals.json) {
    const body = {
      ok: broken === null,
      lines,
      first,
      last,
      checked_keys: checkedKeys,
      broken,
      not_excluded: notExcluded,
      first_key_at,
    };
    await io.out(`${escapeControls(JSON.stringify(body))}\n`);
  } else {
    await io.out(facts([
      ["Entries", lines === 0 ? "none" : `${lines} (${first} to ${last})`],
      ["Keys checked", checkedKeys === 0 ? "none" : String(checkedKeys)],
      ["Result", broken === null ? "whole" : "BROKEN"],
      ...notExcluded.map((said): [string, string] => ["Not excluded", said]),
      ["First key", first_key_at === null ? null : `still here, at ${first_key_at}: take it to another machine`],
    ]));
  }
  if (broken_text === null) return;
  throw new VaultError("precondition_failed", `The trail is broken at ${broken_text}`, {
    hint: "keep the files as they are; entries after this one are not proven",
  });
}

/** What the running server knows of its trail; undefined where none runs. */
async function runningTrail(io: Io, globals: GlobalOptions) {
  try {
    using client = await connect(io, globals);
    const { sequence, hash, path } = await client.json<AuditHeadBody>("GET", "/audit/head");
    return { head: { sequence, hash }, path };
  } catch (error) {
    if (asVaultError(error).kind === "unreachable") return undefined;
    throw error;
  }
}
