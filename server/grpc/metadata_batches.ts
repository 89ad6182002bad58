/**
 * Opening and sealing the envelopes of a call, in whatever thread they are.
 *
 * @module
 */

import { describeResource } from "../../vault/audit/request.ts";
import { create } from "@bufbuild/protobuf";
import {
  type DecryptMetadataRequest,
  type DecryptMetadataResponse,
  DecryptMetadataResponseSchema,
} from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import {
  type SealMetadataRequest,
  type SealMetadataResponse,
  SealMetadataResponseSchema,
} from "../../proto/gen/runevault/v1/metadata_pb.ts";
import type { EnvelopeService, OpenRight } from "../../vault/mod.ts";
import { encodedTexts } from "./encoded_message.ts";

/** Works on the batches of callers who were let in. */
export interface MetadataBatches {
  /** Opens the envelopes of a request; throws as `EnvelopeService.open()`. */
  open(request: DecryptMetadataRequest, right: OpenRight, signal: AbortSignal): Promise<DecryptMetadataResponse>;
  /** Seals the plaintexts of a request under an agent's key; throws as `EnvelopeService.seal()`. */
  seal(request: SealMetadataRequest, agentId: string, signal: AbortSignal): Promise<SealMetadataResponse>;
}

/** Those whose requests are in this thread. */
export class LocalBatches implements MetadataBatches {
  readonly #envelopes: Pick<EnvelopeService, "open" | "seal">;

  constructor(envelopes: Pick<EnvelopeService, "open" | "seal">) {
    this.#envelopes = envelopes;
  }

  async open(request: DecryptMetadataRequest, right: OpenRight, signal: AbortSignal): Promise<DecryptMetadataResponse> {
    return openedResponse(await this.#envelopes.open(request.encryptedMetadataList, right, signal));
  }

  async seal(request: SealMetadataRequest, agentId: string, signal: AbortSignal): Promise<SealMetadataResponse> {
    describeResource({ plaintexts: request.plaintexts.length });
    return sealedResponse(await this.#envelopes.seal(request.plaintexts, agentId, signal));
  }
}

/** The answer that carries these plaintexts, given as UTF-8. */
export function openedResponse(plaintexts: readonly Uint8Array[]): DecryptMetadataResponse {
  return encodedTexts(DecryptMetadataResponseSchema, DecryptMetadataResponseSchema.field.decryptedMetadata, plaintexts);
}

/** The answer that carries these envelopes. */
export function sealedResponse(envelopes: string[]): SealMetadataResponse {
  return create(SealMetadataResponseSchema, { envelopes });
}
