/**
 * `runevault import rune-vault DIR`
 *
 * @module
 */

import { connectAdmin } from "../../admin/client.ts";
import type { FileDifferencesBody, KeySetRow, UserRow } from "../../admin/wire.ts";
import type { ImportPlan } from "../../server/maintenance/mod.ts";
import { VaultError } from "../../vault/errors.ts";
import { escapeControls } from "../format.ts";
import type { Io } from "../io.ts";
import { findKeyFiles } from "../key_files.ts";
import { type CliContext, examples, type GlobalOptions, type Root } from "../program.ts";
import { connect, dataDirOf, isServing } from "../session.ts";

/** Checking a key set takes seconds on a small machine. */
const KEY_TIMEOUT_MS = 120_000;

const WHAT = `
DIR holds vault-roles.yml, vault-tokens.yml, .env, the key folder and certificates, in it or below it. Users keep their
tokens, which become hashes; old envelopes open, as the team secret becomes version 1. With the server stopped, the data
folder must hold no vault yet. A running server takes over users, roles and keys, if it has no user; it must have been started
with the team secret (--team-secret-set says so), which never goes over the admin API.
`;

/** Adds the commands that take over other installations. */
export function addImportCommands(root: Root, { io }: CliContext): void {
  const imports = root.command("import").helpCommand(false).description("Take over what another program kept.");

  imports.command("rune-vault").description("Take over an installation of Rune-Vault.")
    .argument("<DIR>", "its folder")
    .option("--dry-run", "say what would be done, and do nothing")
    .option("--team-secret-set", "the running server was started with the team secret")
    .addHelpText(
      "after",
      WHAT +
        examples(
          "runevault import rune-vault --dry-run /opt/rune-vault",
          "runevault import rune-vault /opt/rune-vault",
        ),
    )
    .action(async (dir, { dryRun, teamSecretSet }, command) => {
      const globals = command.optsWithGlobals();
      const { planImport } = await import("../../server/maintenance/mod.ts");
      const plan = await planImport(dir);
      const isRunning = await isServing(io, globals);
      if (isRunning && plan.teamSecret !== null && teamSecretSet !== true) throw secretInUse();
      await io.out(globals.json ? `${planJson(plan)}\n` : showPlan(plan, isRunning, dataDirOf(io, globals)));
      if (dryRun === true) return await io.err("Nothing was done: this was a dry run.\n");
      if (isRunning) await importRunning(io, globals, plan);
      else await importStopped(io, dataDirOf(io, globals), plan);
      await io.err("Taken over.\n");
    });
}

function secretInUse(): VaultError {
  return new VaultError("precondition_failed", "A running server's team secret can't be exchanged", {
    hint:
      "stop it, move its data folder away if nobody used it, and run this again; or give --team-secret-set if it was " +
      "started with this very secret",
  });
}

function planJson({ roles, users, keyFolder, teamSecret, settings, tls, remarks }: ImportPlan): string {
  const body = {
    roles,
    users,
    key_folder: keyFolder,
    team_secret: teamSecret !== null,
    settings: [...settings.keys()],
  };
  return escapeControls(JSON.stringify({ ...body, certificate: tls?.cert ?? null, remarks }));
}

function showPlan(plan: ImportPlan, isRunning: boolean, dataDir: string): string {
  const { rolesFile, tokensFile, roles, users, keyFolder, teamSecret, settings, tls, remarks } = plan;
  const lines = [
    rolesFile === null ? "" : `take ${roles} roles from ${rolesFile}`,
    tokensFile === null ? "" : `take ${users} users with their tokens from ${tokensFile}; only hashes are kept`,
    teamSecret === null || isRunning ? "" : "make the team secret version 1, sealed",
    keyFolder === null ? "" : `take over the FHE key set in ${keyFolder}; its secret key is sealed`,
    tls === null || isRunning ? "" : `copy the certificate ${tls.cert} and its key`,
    settings.size === 0 || isRunning ? "" : `write ${[...settings.keys()].join(", ")} to ${dataDir}/runevault.yml`,
    ...(isRunning ? leftToTheOperator(plan) : []),
    ...remarks.map((remark) => `note: ${remark}`),
  ];
  return lines.filter((line) => line !== "").map((line) => `${escapeControls(line)}\n`).join("");
}

function leftToTheOperator({ settings, tls }: ImportPlan): string[] {
  const keys = [...settings.keys(), ...(tls === null ? [] : ["tls, tls_cert, tls_key"])];
  return keys.length === 0
    ? []
    : [`note: put ${keys.join(", ")} into runevault.yml yourself, and start the server again`];
}

async function importStopped(io: Io, dataDir: string, plan: ImportPlan): Promise<void> {
  const { placeImport } = await import("../../server/maintenance/mod.ts");
  const { withOfflineVault } = await import("../../server/offline.ts");
  const placed = await placeImport(plan, dataDir);
  try {
    const output = { error: (line: string) => void io.err(`${line}\n`) };
    const work = (adminSocket: string) => importKeys(io, { dataDir, adminSocket }, plan);
    const secret = plan.teamSecret === null ? {} : { team_secret: plan.teamSecret };
    await withOfflineVault(dataDir, output, work, { isImport: true, more: secret });
    await placed.done();
  } catch (error) {
    await placed.undo();
    throw error;
  }
}

async function importKeys(io: Io, at: { dataDir: string; adminSocket?: string }, plan: ImportPlan): Promise<void> {
  if (plan.keyFolder === null) return;
  const files = await findKeyFiles(io, plan.keyFolder);
  using client = await connectAdmin({ ...at, timeoutMs: KEY_TIMEOUT_MS });
  await client.json<KeySetRow>("POST", "/keys/import", files);
}

/** The files are put where the vault has its own, and taken in: only where there is nobody whom that could end. */
async function importRunning(io: Io, globals: GlobalOptions, plan: ImportPlan): Promise<void> {
  using client = await connect(io, globals);
  const { users } = await client.json<{ users: UserRow[] }>("GET", "/users?limit=1");
  if (users.length > 0) {
    throw new VaultError("precondition_failed", "The running vault has users already", {
      hint: "an installation is taken over by a vault without users: start another one with another --data-dir",
    });
  }
  const { files } = await client.json<{ files: { name: string; path: string }[] }>("GET", "/files");
  for (const [name, source] of [["roles", plan.rolesFile], ["tokens", plan.tokensFile]] as const) {
    if (source === null) continue;
    await replace(files.find((file) => file.name === name)!.path, await Deno.readTextFile(source));
    await client.json<FileDifferencesBody>("POST", `/files/${name}/take`, {});
  }
  await importKeys(io, { dataDir: dataDirOf(io, globals) }, plan);
}

async function replace(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${crypto.randomUUID().slice(0, 8)}.import`;
  await Deno.writeTextFile(unfinished, text, { createNew: true, mode: 0o600 });
  await Deno.rename(unfinished, path);
}
