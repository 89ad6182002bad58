/**
 * `runevault keys …`
 *
 * @module
 */

import { adminPath } from "../../admin/client.ts";
import type { ExportedKeysBody, KeySetRow } from "../../admin/wire.ts";
import { VaultError } from "../../vault/errors.ts";
import { escapeControls, facts, table } from "../format.ts";
import { findKeyFiles, SEC, writeKeyFiles } from "../key_files.ts";
import { wholeNumber } from "../numbers.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answer, answerAlsoOffline, connect, type Question } from "../session.ts";

/** Making and checking key sets takes seconds on a small machine. */
const KEY_TIMEOUT_MS = 120_000;

/** Adds the commands for FHE key sets. */
export function addKeyCommands(root: Root, { io }: CliContext): void {
  const keys = root.command("keys").helpCommand(false).description("Make, take over and show FHE key sets.");

  keys.command("generate").description("Make a key set and put it in force; the server may be stopped.")
    .requiredOption("--dim <N>", "the dimension of the index: 384, 768, 1024, 4096", wholeNumber("--dim"))
    .option("--key-id <ID>", "its name; vault-key, then vault-key-2 and so on where absent")
    .addHelpText("after", examples("runevault keys generate --dim 1024"))
    .action(async ({ dim, keyId }, command) => {
      const body = { dimension: dim, key_id: keyId };
      const question: Question = { method: "POST", path: "/keys/generate", body, timeoutMs: KEY_TIMEOUT_MS };
      await answerAlsoOffline<KeySetRow>(io, command.optsWithGlobals(), question, showKeySet);
    });

  keys.command("import").description("Take over a Rune-Vault key folder; the server may be stopped.")
    .argument("<DIR>", "the folder of one key id, or the one above it")
    .addHelpText("after", examples("runevault keys import /opt/rune-vault/vault_keys"))
    .action(async (dir, _options, command) => {
      const body = await findKeyFiles(io, dir);
      const question: Question = { method: "POST", path: "/keys/import", body, timeoutMs: KEY_TIMEOUT_MS };
      await answerAlsoOffline<KeySetRow>(io, command.optsWithGlobals(), question, showKeySet);
    });

  keys.command("export").description("Write the plain files of a key set, the secret key among them.")
    .argument("<DIR>", "a folder to write to; files in it are never overwritten")
    .option("--key-id <ID>", "which one; the one in force where absent")
    .addHelpText("after", examples("runevault keys export ./keys-copy"))
    .action(async (dir, { keyId }, command) => {
      const globals = command.optsWithGlobals();
      using client = await connect(io, globals, KEY_TIMEOUT_MS);
      const id = keyId ?? keyInForce((await client.json<{ keys: KeySetRow[] }>("GET", "/keys")).keys);
      const files = await client.json<ExportedKeysBody>("POST", adminPath`/keys/${id}/export`);
      const paths = await writeKeyFiles(dir, files);
      await io.out(globals.json ? `${escapeControls(JSON.stringify({ key_id: id, files: paths }))}\n` : lines(paths));
      await io.err(`${SEC} is the secret key of ${escapeControls(id)} in plain: whoever reads it reads every score.\n`);
    });

  keys.command("rotate").description("Make a new key set beside the old ones, which go on decrypting.")
    .addHelpText("after", examples("runevault keys rotate"))
    .action(async (_options, command) => {
      const question: Question = { method: "POST", path: "/keys/rotate", timeoutMs: KEY_TIMEOUT_MS };
      await answer<KeySetRow>(io, command.optsWithGlobals(), question, showKeySet);
    });

  keys.command("show").description("Show the key sets; never a key.")
    .argument("[ID]", "one of them")
    .addHelpText("after", examples("runevault keys show", "runevault keys show vault-key"))
    .action(async (id, _options, command) => {
      const globals = command.optsWithGlobals();
      if (id !== undefined) {
        await answer<KeySetRow>(io, globals, { method: "GET", path: adminPath`/keys/${id}` }, showKeySet);
      } else {
        await answer<{ keys: KeySetRow[] }>(io, globals, { method: "GET", path: "/keys" }, (b) => showList(b.keys));
      }
    });
}

function lines(paths: readonly string[]): string {
  return paths.map((path) => `${escapeControls(path)}\n`).join("");
}

function keyInForce(keys: readonly KeySetRow[]): string {
  const active = keys.find((key) => key.active);
  if (active !== undefined) return active.key_id;
  throw new VaultError("precondition_failed", "The vault holds no FHE key", {
    hint: "run `runevault keys generate --dim N` first",
  });
}

function showKeySet(key: KeySetRow): string {
  return facts([
    ["Key id", key.key_id],
    ["Dimension", String(key.dimension)],
    ["In force", key.active ? "yes" : "no, it only decrypts"],
    ["Created", key.created_at],
    ["Expires", key.expires_at],
    ["Secret key SHA-256", key.secret_key_sha256],
    ["Encryption key SHA-256", key.encryption_key_sha256],
    ["Evaluation key SHA-256", key.evaluation_key_sha256 ?? "none: bundles leave EvalKey.json out"],
  ]);
}

function showList(keys: readonly KeySetRow[]): string {
  const rows = keys.map((key) => [
    key.key_id,
    String(key.dimension),
    key.active ? "yes" : "no",
    key.created_at,
    key.expires_at,
    key.encryption_key_sha256,
  ]);
  return table(["KEY_ID", "DIM", "IN_FORCE", "CREATED", "EXPIRES", "ENC_SHA256"], rows);
}
