/**
 * A bare grpc-js server to measure others against: it answers `GetAgentManifest` and `DecryptMetadata` at once, with a
 * text of a given size, and does nothing else.
 *
 * Run: `deno run -A bench/bare_grpc.ts --response-bytes 1024 [--responses 10]`. It prints `{"port":…}` on one line and
 * runs until SIGTERM.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import {
  DecryptMetadataResponseSchema,
  GetAgentManifestResponseSchema,
  VaultService,
} from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { grpcDefinition } from "../server/grpc/definition.ts";

const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

/** Starts the server on a free port and returns that port. */
function startBareServer(responseBytes: number, responses: number): Promise<number> {
  const text = "x".repeat(responseBytes);
  const manifest = create(GetAgentManifestResponseSchema, { manifestJson: text });
  const opened = create(DecryptMetadataResponseSchema, { decryptedMetadata: Array(responses).fill(text) });
  const { getAgentManifest, decryptMetadata } = grpcDefinition(VaultService);
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  });
  server.addService({ getAgentManifest, decryptMetadata }, {
    getAgentManifest: (_call: unknown, respond: (error: null, message: typeof manifest) => void) =>
      respond(null, manifest),
    decryptMetadata: (_call: unknown, respond: (error: null, message: typeof opened) => void) => respond(null, opened),
  });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: { "response-bytes": { type: "string", default: "1024" }, responses: { type: "string", default: "10" } },
  });
  const port = await startBareServer(Number(values["response-bytes"]), Number(values.responses));
  await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify({ port })}\n`));
}
