/**
 * A bare grpc-js server that answers `GetPublicKey` with the same bytes each time, encoded beforehand.
 *
 * Run: `deno run -A bench/bare_bytes.ts --response-bytes N`. It prints `{"port":…}` on one line and runs until SIGTERM.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { parseArgs } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { GetPublicKeyResponseSchema, VaultService } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { grpcDefinition } from "../server/grpc/definition.ts";

const { values } = parseArgs({ args: Deno.args, options: { "response-bytes": { type: "string", default: "1024" } } });
const message = create(GetPublicKeyResponseSchema, { keyBundleJson: "x".repeat(Number(values["response-bytes"])) });
const bytes = Buffer.from(toBinary(GetPublicKeyResponseSchema, message));
const server = new Server({ "grpc.max_send_message_length": 256 * 1024 * 1024 });
const { getPublicKey } = grpcDefinition(VaultService);
server.addService({ getPublicKey: { ...getPublicKey, responseSerialize: () => bytes } }, {
  getPublicKey: (_call: unknown, respond: (error: null, answer: typeof message) => void) => respond(null, message),
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify({ port })}\n`));
});
