/**
 * `runevault secret …`
 *
 * @module
 */

import { adminPath } from "../../admin/client.ts";
import type { SecretRow } from "../../admin/wire.ts";
import { facts, table } from "../format.ts";
import { wholeNumber } from "../numbers.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { answer, type Question } from "../session.ts";

/** Adds the commands for the versions of the team secret. */
export function addSecretCommands(root: Root, { io }: CliContext): void {
  const secret = root.command("secret").helpCommand(false).description(
    "See and change the versions of the team secret.",
  );

  secret.command("list").description("List the versions; the secret itself is never shown.")
    .addHelpText("after", examples("runevault secret list"))
    .action(async (_options, command) => {
      const question: Question = { method: "GET", path: "/secrets" };
      await answer<{ secrets: SecretRow[] }>(io, command.optsWithGlobals(), question, (b) => showList(b.secrets));
    });

  secret.command("rotate").description("Draw a new version for new writes; old envelopes stay readable.")
    .addHelpText("after", examples("runevault secret rotate"))
    .action(async (_options, command) => {
      await answer(io, command.optsWithGlobals(), { method: "POST", path: "/secrets/rotate" }, showSecret);
    });

  secret.command("retire").description("Retire a version for good: what was sealed under it can't be opened any more.")
    .argument("<version>", "the version's number", wholeNumber("<version>"))
    .addHelpText("after", examples("runevault rewrap old.jsonl --output new.jsonl", "runevault secret retire 1"))
    .action(async (version, _options, command) => {
      const question: Question = { method: "POST", path: adminPath`/secrets/${String(version)}/retire` };
      await answer(io, command.optsWithGlobals(), question, showSecret);
    });
}

function showSecret(secret: SecretRow): string {
  return facts([
    ["Version", String(secret.version)],
    ["State", secret.state],
    ["Created", secret.created_at],
    ["Fingerprint", secret.fingerprint],
    ["Live tokens", String(secret.live_tokens)],
  ]);
}

function showList(secrets: readonly SecretRow[]): string {
  const rows = secrets.map((secret) => [
    String(secret.version),
    secret.state,
    secret.created_at,
    secret.fingerprint,
    String(secret.live_tokens),
  ]);
  return table(["VERSION", "STATE", "CREATED", "FINGERPRINT", "LIVE_TOKENS"], rows);
}
