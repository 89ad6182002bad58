/**
 * Batches of all calls: those of other threads are worked on there, the others here.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import {
  type DecryptMetadataRequest,
  type DecryptMetadataResponse,
  DecryptMetadataResponseSchema,
} from "../../../proto/gen/rune/vault/v1/vault_pb.ts";
import {
  type SealMetadataRequest,
  type SealMetadataResponse,
  SealMetadataResponseSchema,
} from "../../../proto/gen/runevault/v1/metadata_pb.ts";
import { describeResource } from "../../../vault/audit/request.ts";
import type { EnvelopeService, OpenRight } from "../../../vault/mod.ts";
import { LocalBatches, type MetadataBatches } from "../metadata_batches.ts";
import type { ThreadCall } from "./thread_call.ts";

/** What batches are worked on with. */
export type ThreadedEnvelopes = Pick<EnvelopeService, "open" | "seal" | "sealingKey" | "noteOpened">;

/** Knows by its request which call is whose. */
export class ThreadedBatches implements MetadataBatches {
  readonly #envelopes: ThreadedEnvelopes;
  readonly #local: LocalBatches;
  readonly #calls = new WeakMap<object, ThreadCall>();

  constructor(envelopes: ThreadedEnvelopes) {
    this.#envelopes = envelopes;
    this.#local = new LocalBatches(envelopes);
  }

  /** Notes that a request's batch is in another thread. */
  note(call: ThreadCall): void {
    this.#calls.set(call.request, call);
  }

  async open(request: DecryptMetadataRequest, right: OpenRight, signal: AbortSignal): Promise<DecryptMetadataResponse> {
    const call = this.#calls.get(request);
    if (call === undefined) return await this.#local.open(request, right, signal);
    let version1 = 0;
    try {
      version1 = await call.open(right);
    } finally {
      this.#envelopes.noteOpened(right, version1);
    }
    return create(DecryptMetadataResponseSchema);
  }

  async seal(request: SealMetadataRequest, agentId: string, signal: AbortSignal): Promise<SealMetadataResponse> {
    const call = this.#calls.get(request);
    if (call === undefined) return await this.#local.seal(request, agentId, signal);
    await call.seal(agentId, await this.#envelopes.sealingKey(agentId));
    describeResource({ plaintexts: call.items });
    return create(SealMetadataResponseSchema);
  }
}
