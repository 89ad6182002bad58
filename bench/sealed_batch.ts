/**
 * Envelopes to open in a benchmark, sealed with the keys that the vault itself hands out.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { credentials, makeClientConstructor, type ServiceError } from "@grpc/grpc-js";
import {
  GetAgentManifestRequestSchema,
  type GetAgentManifestResponse,
  VaultService,
} from "../proto/gen/rune/vault/v1/vault_pb.ts";
import { grpcDefinition } from "../server/grpc/definition.ts";
import { sealEnvelope } from "../vault/keys/envelope.ts";

/** Envelopes of both versions, and the size of the key bundle. */
export interface SealedBatch {
  readonly manifestBytes: number;
  readonly v1: readonly string[];
  readonly v2: readonly string[];
}

interface Manifest {
  readonly agent_id: string;
  readonly agent_dek: string;
  readonly key_version: number;
  readonly deks: Readonly<Record<string, string>>;
}

/** Seals `count` texts of `bytes` bytes as `token`'s user, in both versions. */
export async function sealForBench(address: string, token: string, count: number, bytes: number): Promise<SealedBatch> {
  const json = await fetchManifest(address, token);
  const manifest = JSON.parse(json) as Manifest;
  const text = "x".repeat(bytes);
  const author = { agentId: manifest.agent_id, keyVersion: manifest.key_version, fromV1: false };
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
  const key1 = Buffer.from(manifest.agent_dek, "base64");
  const key2 = Buffer.from(manifest.deks[manifest.key_version]!, "base64");
  const texts = Array.from({ length: count }, () => text);
  return {
    manifestBytes: json.length,
    v1: texts.map((one) => sealV1(one, manifest.agent_id, key1)),
    v2: texts.map((one) => sealEnvelope(one, author, key2, random)),
  };
}

/** Version 1 is only ever written by clients. */
function sealV1(text: string, agentId: string, key: Uint8Array): string {
  const iv = crypto.getRandomValues(new Uint8Array(16));
  const cipher = createCipheriv("aes-256-ctr", key, iv);
  const body = Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final()]);
  return JSON.stringify({ a: agentId, c: body.toString("base64") });
}

function fetchManifest(address: string, token: string): Promise<string> {
  const VaultClient = makeClientConstructor(grpcDefinition(VaultService), "VaultService");
  const client = new VaultClient(address, credentials.createInsecure());
  const request = create(GetAgentManifestRequestSchema, { token });
  return new Promise((resolve, reject) => {
    client["getAgentManifest"]!(request, (error: ServiceError | null, answer: GetAgentManifestResponse) => {
      client.close();
      if (error === null) resolve(answer.manifestJson);
      else reject(error);
    });
  });
}
