/**
 * `runevault backup` and `runevault restore`
 *
 * @module
 */

import type { AdminClient } from "../../admin/client.ts";
import type { BackupBody } from "../../admin/wire.ts";
import type { BackupIdentity, BackupKey, Unpacked } from "../../server/backup/mod.ts";
import { VaultError } from "../../vault/errors.ts";
import { facts } from "../format.ts";
import type { Io } from "../io.ts";
import { writeNewFile } from "../new_file.ts";
import { type CliContext, examples, type GlobalOptions, type Root } from "../program.ts";
import { repeated } from "../repeated.ts";
import { dataDirOf, withClientAlsoOffline } from "../session.ts";

/** Copying and hashing a large store on a slow disk. */
const BACKUP_TIMEOUT_MS = 3_600_000;

const ATTEMPTS = 3;

/** Where secrets come from. */
interface KeyOptions {
  readonly passphraseFile?: string | undefined;
}

const SOURCES = `
The passphrase comes from --passphrase-file, the systemd credential backup-passphrase, RUNEVAULT_BACKUP_PASSPHRASE (deleted
from the environment once read, but /proc/<pid>/environ keeps it: prefer a file or a credential), or it is asked for.
`;

/** Adds the commands for backups. */
export function addBackupCommands(root: Root, { io }: CliContext): void {
  root.command("backup").description("Write everything that the vault is into one encrypted file; it may be running.")
    .argument("<FILE>", "the file to make; one that exists is never overwritten")
    .option("--passphrase-file <FILE>", "a file with the passphrase, mode 0600")
    .option("--recipient <AGE1>", "encrypt to an age recipient in place of a passphrase; may be repeated", repeated, [])
    .option("--no-former-audit", "leave out the audit files that rotation has moved away")
    .addHelpText(
      "after",
      SOURCES + examples("runevault backup /backup/vault.age", "runevault backup --recipient age1… /backup/vault.age"),
    )
    .action(async (file, { passphraseFile, recipient, formerAudit }, command) => {
      const key = await keyOf(io, { passphraseFile }, recipient);
      await backup(io, command.optsWithGlobals(), file, { key, formerAudit });
    });

  root.command("restore").description("Make a vault of a backup, on an empty data folder.")
    .argument("<FILE>", "a file that `runevault backup` wrote")
    .option("--passphrase-file <FILE>", "a file with the passphrase, mode 0600")
    .option("--identity <FILE>", "the age identity of a backup to a recipient, as age-keygen writes it")
    .option("--check", "read and check all of the backup, and restore nothing")
    .addHelpText(
      "after",
      SOURCES + examples("runevault restore --check /backup/vault.age", "runevault restore /backup/vault.age"),
    )
    .action(async (file, { passphraseFile, identity, check }, command) => {
      const identityOf = () => readIdentity(io, { passphraseFile }, identity);
      await restore(io, command.optsWithGlobals(), file, identityOf, check === true);
    });
}

async function keyOf(io: Io, { passphraseFile }: KeyOptions, recipients: readonly string[]): Promise<BackupKey> {
  const room = await import("../../server/backup/mod.ts");
  if (recipients.length > 0) {
    if (passphraseFile !== undefined) throw new VaultError("usage", "Give --recipient or --passphrase-file, not both");
    for (const recipient of recipients) room.assertRecipient(recipient);
    return { recipients };
  }
  const passphrase = await room.readPassphrase(
    { file: passphraseFile, env: io.env, forget: io.forget, ask: (prompt) => askTwice(io, prompt) },
    "Passphrase of the backup: ",
  );
  room.assertStrong(passphrase);
  return { passphrase };
}

/** Nobody sees what they type: at a terminal it counts once the same was typed twice. */
async function askTwice(io: Io, prompt: string): Promise<string> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const typed = await io.secret(prompt);
    if (!io.isInteractive || await io.secret("The same again: ") === typed) return typed;
    await io.err("They differ.\n");
  }
  throw new VaultError("invalid_argument", `The two passphrases differ, ${ATTEMPTS} times`);
}

async function backup(
  io: Io,
  globals: GlobalOptions,
  file: string,
  { key, formerAudit }: { readonly key: BackupKey; readonly formerAudit: boolean },
): Promise<void> {
  const { encryptBackup } = await import("../../server/backup/mod.ts");
  await withClientAlsoOffline(io, globals, BACKUP_TIMEOUT_MS, async (client) => {
    const { taken, bytes } = await writeNewFile(file, async (write) => {
      const taken = await client.json<BackupBody>("POST", "/backups", { former_audit: formerAudit });
      const sealed = await encryptBackup(await archiveOf(client, taken), key);
      let bytes = 0;
      for await (const chunk of sealed) {
        await write(chunk);
        bytes += chunk.length;
        io.progress(`backup: ${Math.round(bytes / 1e6)} MB`);
      }
      return { taken, bytes };
    });
    for (const left of taken.left_out) await io.err(`runevault: left out: ${left}\n`);
    await io.out(
      globals.json ? `${JSON.stringify({ ...taken, file, file_bytes: bytes })}\n` : showTaken(file, bytes, taken),
    );
  });
}

/** The archive, if it comes as long as it was said to be: a server that dies on the way just ends the stream. */
async function archiveOf(client: AdminClient, taken: BackupBody): Promise<ReadableStream<Uint8Array>> {
  const archive = await client.bytes("POST", `/backups/${taken.id}/fetch`, {});
  let left = taken.bytes;
  return archive.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        left -= chunk.length;
        controller.enqueue(chunk);
      },
      flush() {
        if (left !== 0) throw new VaultError("unreachable", "The server ended before the backup was whole");
      },
    }),
  );
}

async function readIdentity(io: Io, { passphraseFile }: KeyOptions, file?: string): Promise<BackupIdentity> {
  if (file === undefined) {
    const { readPassphrase } = await import("../../server/backup/mod.ts");
    const sources = {
      file: passphraseFile,
      env: io.env,
      forget: io.forget,
      ask: (prompt: string) => io.secret(prompt),
    };
    return { passphrase: await readPassphrase(sources, "Passphrase of the backup: ") };
  }
  if (passphraseFile !== undefined) throw new VaultError("usage", "Give --identity or --passphrase-file, not both");
  const lines = (await readText(file)).split("\n").map((line) => line.trim());
  const identities = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (identities.length > 0) return { identities };
  throw new VaultError("invalid_argument", `${file} holds no identity`);
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `${path} can't be read: ${why}`, { cause });
  }
}

async function restore(
  io: Io,
  globals: GlobalOptions,
  file: string,
  identity: () => Promise<BackupIdentity>,
  isCheck: boolean,
): Promise<void> {
  const { checkBackup, restoreBackup } = await import("../../server/backup/mod.ts");
  if (isCheck) return await showRestored(io, globals, await checkBackup({ file, identity }), null);
  const dataDir = dataDirOf(io, globals);
  await showRestored(io, globals, await restoreBackup({ file, identity, dataDir }), dataDir);
  await io.err(
    "It may be older than what was promised since, so `runevault serve` refuses it until you say what is to become of that:\n" +
      "  serve --accept-rollback                 ends every token; all else is as it was\n" +
      "  serve --accept-rollback --keep-tokens   tokens of then work on, also those revoked since\n" +
      "With --pause-revocation it leaves database accounts alone, while the vault that they belong to still runs.\n",
  );
}

async function showRestored(
  io: Io,
  { json }: GlobalOptions,
  { manifest, counts: records }: Unpacked,
  dataDir: string | null,
) {
  const { program, created_at, schema, sequence, parts } = manifest;
  const counts = { users: records.get("user") ?? 0, roles: records.get("role") ?? 0 };
  const body = { data_dir: dataDir, program, created_at, schema, sequence, parts: parts.length, ...counts };
  if (json) return await io.out(`${JSON.stringify(body)}\n`);
  await io.out(facts([
    ["Restored to", dataDir],
    ["Made", created_at],
    ["By", `runevault ${program}`],
    ["Schema", String(schema)],
    ["Changes", String(sequence)],
    ["Users", String(counts.users)],
    ["Roles", String(counts.roles)],
    ["Files", `${parts.length}, each with its digest`],
    ["Whole", "yes: the store is sound and the seal key opens it"],
  ]));
}

function showTaken(file: string, bytes: number, taken: BackupBody): string {
  return facts([
    ["Backup", file],
    ["Bytes", String(bytes)],
    ["Made", taken.created_at],
    ["Changes", String(taken.sequence)],
    ["Files", String(taken.parts)],
  ]);
}
