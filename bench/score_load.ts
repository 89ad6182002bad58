/**
 * Keeps eight score requests in flight until SIGTERM, in a process of its own. The plan comes on standard input, as it
 * holds a token. Prints how many were answered, as JSON on one line.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import { credentials, makeClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { DecryptScoresRequestSchema, VaultService } from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { grpcDefinition } from "../server/grpc/definition.ts";

/** What to send, and where. */
export interface ScorePlan {
  readonly address: string;
  readonly token: string;
  readonly blob: string;
  readonly inFlight: number;
}

const plan = JSON.parse(await new Response(Deno.stdin.readable).text()) as ScorePlan;
const VaultClient = makeClientConstructor(grpcDefinition(VaultService), "VaultService");
const client = new VaultClient(plan.address, credentials.createInsecure());
const request = create(DecryptScoresRequestSchema, { token: plan.token, encryptedBlobB64: plan.blob, topK: 10 });
let answered = 0;

function send(): void {
  client["decryptScores"]!(request, (error: ServiceError | null) => {
    if (error !== null) throw error;
    answered++;
    send();
  });
}

for (let i = 0; i < plan.inFlight; i++) send();
Deno.addSignalListener("SIGTERM", () => {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify({ answered })}\n`));
  Deno.exit(0);
});
