/**
 * The services of a thread: the same on the wire as the main thread's, answered by it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import type { handleUnaryCall, Metadata as CallMetadata, MethodDefinition } from "@grpc/grpc-js";
import {
  type DecryptMetadataRequest,
  DecryptMetadataResponseSchema,
  VaultService,
} from "../../../proto/gen/rune/vault/v1/vault_pb.ts";
import { Identity } from "../../../proto/gen/runevault/v1/identity_pb.ts";
import {
  Metadata,
  type SealMetadataRequest,
  SealMetadataResponseSchema,
} from "../../../proto/gen/runevault/v1/metadata_pb.ts";
import { grpcDefinition, type GrpcService } from "../definition.ts";
import { encodedBytes } from "../encoded_message.ts";
import { openedResponse, sealedResponse } from "../metadata_batches.ts";
import { MAX_TOKEN_LENGTH, presentedToken } from "../presented_token.ts";
import { takeForRecording } from "../unhandled_calls.ts";
import type { BatchWork, ForwardedRequest, Forwarder } from "./forwarder.ts";

/** A larger request crosses only for a caller who would be let in; of anybody else's, the token alone does. */
const LARGE_BYTES = 64 * 1024;

/** A request as it came, and decoded. */
interface Received {
  readonly bytes: Uint8Array;
  readonly message: MessageShape<DescMessage>;
}

/** Makes the part of a call that stays in its thread. */
type WorkOf = (message: MessageShape<DescMessage>) => BatchWork;

/** The services that need a token. */
export function forwardedServices(forwarder: Forwarder): readonly GrpcService[] {
  return [
    forwardedService(VaultService, forwarder, {
      decryptMetadata: (message) => opening(message as DecryptMetadataRequest),
    }),
    forwardedService(Metadata, forwarder, { sealMetadata: (message) => sealing(message as SealMetadataRequest) }),
    forwardedService(Identity, forwarder, {}),
  ];
}

function forwardedService<Methods extends GenServiceMethods>(
  service: GenService<Methods>,
  forwarder: Forwarder,
  works: Readonly<Record<string, WorkOf>>,
): GrpcService {
  const definition: Record<string, MethodDefinition<Received, Uint8Array>> = {};
  const handlers: Record<string, handleUnaryCall<Received, Uint8Array>> = {};
  for (const [name, method] of Object.entries(grpcDefinition(service))) {
    definition[name] = forwardedMethod(method);
    const { input } = service.method[name]!;
    handlers[name] = (call, respond) => {
      takeForRecording(call);
      const request = requestOf(method.path, input, call.request, works[name]);
      if (request.bytes.length <= LARGE_BYTES) return forwarder.forward(call, request, respond);
      wouldBeLetIn(forwarder, call.metadata, call.request.message).then((isLive) => {
        const bytes = isLive ? request.bytes : tokenAlone(input, call.request.message);
        forwarder.forward(call, { ...request, bytes }, respond);
      });
    };
  }
  return { definition, handlers };
}

/** A request is decoded here too, so that one that isn't valid is refused as everywhere. */
function forwardedMethod(
  method: MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>>,
): MethodDefinition<Received, Uint8Array> {
  return {
    ...method,
    requestSerialize: ({ bytes }) => Buffer.from(bytes),
    requestDeserialize: (bytes) => ({ bytes, message: method.requestDeserialize(bytes) }),
    responseSerialize: ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength),
    responseDeserialize: (bytes) => bytes,
  };
}

/** What is worked on here doesn't cross. */
function requestOf(path: string, input: DescMessage, received: Received, workOf: WorkOf | undefined): ForwardedRequest {
  if (workOf === undefined) return { path, bytes: received.bytes };
  return { path, bytes: tokenAlone(input, received.message), work: workOf(received.message) };
}

/** Of a token that is too long to be one, as much as shows that. */
function tokenAlone(input: DescMessage, message: object): Uint8Array {
  const { token } = message as { token?: unknown };
  return typeof token === "string"
    ? toBinary(input, create(input, { token: token.slice(0, MAX_TOKEN_LENGTH + 1) }))
    : new Uint8Array();
}

async function wouldBeLetIn(forwarder: Forwarder, metadata: CallMetadata, message: unknown): Promise<boolean> {
  try {
    return await forwarder.isLive(presentedToken(metadata, message));
  } catch {
    // None, or two that differ: the main thread says what is wrong with it.
    return false;
  }
}

function opening({ encryptedMetadataList }: DecryptMetadataRequest): BatchWork {
  return async (order, batches, signal) => {
    if (!("askKeys" in order)) throw new TypeError("Envelopes can't be opened with a sealing key");
    const { plaintexts, version1 } = await batches.open(encryptedMetadataList, order.askKeys, signal);
    return {
      bytes: bytesOf(DecryptMetadataResponseSchema, openedResponse(plaintexts)),
      version1,
      items: plaintexts.length,
    };
  };
}

function sealing({ plaintexts }: SealMetadataRequest): BatchWork {
  return async (order, batches, signal) => {
    if (!("key" in order)) throw new TypeError("Sealing needs a key");
    const sealed = await batches.seal(plaintexts, order, order.key, signal);
    return { bytes: bytesOf(SealMetadataResponseSchema, sealedResponse(sealed)), version1: 0, items: sealed.length };
  };
}

function bytesOf<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Uint8Array {
  return encodedBytes(message) ?? toBinary(schema, message);
}
