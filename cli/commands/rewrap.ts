/**
 * `runevault rewrap`
 *
 * @module
 */

import type { AdminClient } from "../../admin/client.ts";
import type { RewrappedBody } from "../../admin/wire.ts";
import { VaultError } from "../../vault/errors.ts";
import { type EnvelopeLine, readBatches, toLine } from "../envelope_lines.ts";
import type { Io } from "../io.ts";
import { type CliContext, examples, type Root } from "../program.ts";
import { connect } from "../session.ts";
import { type WriteText, writeWhole } from "../whole_file.ts";

/** A batch of large envelopes on a busy server. */
const BATCH_TIMEOUT_MS = 120_000;

/** Adds the command that re-seals envelopes. */
export function addRewrapCommand(root: Root, { io }: CliContext): void {
  root.command("rewrap").description("Re-seal envelopes under the newest version of the team secret.")
    .argument("[FILE]", "envelopes, one JSON object a line; absent: standard input")
    .option("--output <FILE>", "write here, whole or not at all; absent: standard output, batch by batch")
    .addHelpText(
      "after",
      examples("runevault rewrap old.jsonl --output new.jsonl", "runevault rewrap < old.jsonl > new.jsonl"),
    )
    .action(async (file, { output }, command) => {
      using client = await connect(io, command.optsWithGlobals(), BATCH_TIMEOUT_MS);
      const input = await openInput(io, file);
      if (output === undefined) await rewrap(io, client, input, (text) => io.out(text));
      else await writeWhole(output, (write) => rewrap(io, client, input, write));
    });
}

async function openInput(io: Io, file: string | undefined): Promise<ReadableStream<Uint8Array>> {
  if (file === undefined || file === "-") return io.stdin;
  try {
    return (await Deno.open(file)).readable;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VaultError("invalid_argument", `${file} can't be read: ${why}`, { cause });
  }
}

async function rewrap(
  io: Io,
  client: AdminClient,
  input: ReadableStream<Uint8Array>,
  write: WriteText,
): Promise<void> {
  let count = 0;
  for await (const batch of readBatches(input)) {
    const envelopes = await rewrapBatch(client, batch);
    io.progress(`rewrap: ${count += batch.length} envelopes`);
    await write(envelopes.map((envelope, i) => toLine(envelope, batch[i]!)).join(""));
  }
}

async function rewrapBatch(client: AdminClient, batch: readonly EnvelopeLine[]): Promise<readonly string[]> {
  try {
    const body = { envelopes: batch.map(({ envelope }) => envelope) };
    const { envelopes } = await client.json<RewrappedBody>("POST", "/rewrap", body);
    if (envelopes.length === batch.length) return envelopes;
    throw new VaultError("internal", `The server answered ${envelopes.length} envelopes for ${batch.length}`);
  } catch (error) {
    throw error instanceof VaultError ? withLine(error, batch) : error;
  }
}

/** The server counts within a batch; people count lines. */
function withLine(error: VaultError, batch: readonly EnvelopeLine[]): VaultError {
  const index = error.data["index"];
  const line = typeof index === "number" ? batch[index]?.line : undefined;
  if (line === undefined) return error;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new VaultError(error.kind, `Line ${line}: ${error.message}`, { data: { line }, cause: error, ...hint });
}
