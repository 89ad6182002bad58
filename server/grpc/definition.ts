/**
 * Turns a generated service descriptor into what grpc-js serves and calls.
 *
 * The codec refuses what is not valid protobuf by throwing; grpc-js answers such a request with `INTERNAL` and goes
 * on. Fields that the contract does not name are dropped while reading, so that nobody can make the server hold them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { encodedBytes } from "./encoded_message.ts";

const READ_OPTIONS = { readUnknownFields: false } as const;

/** The grpc-js definition of one generated service: one entry a method, under the method's local name. */
export type GrpcDefinition<Methods extends GenServiceMethods> = {
  readonly [Name in keyof Methods]: MethodDefinition<
    MessageShape<Methods[Name]["input"]>,
    MessageShape<Methods[Name]["output"]>
  >;
};

type Handler<Kind, Request, Response> = Kind extends "unary" ? handleUnaryCall<Request, Response>
  : Kind extends "server_streaming" ? handleServerStreamingCall<Request, Response>
  : Kind extends "client_streaming" ? handleClientStreamingCall<Request, Response>
  : handleBidiStreamingCall<Request, Response>;

/** One grpc-js handler for each method of a generated service; leaving one out does not compile. */
export type GrpcHandlers<Methods extends GenServiceMethods> = {
  readonly [Name in keyof Methods]: Handler<
    Methods[Name]["methodKind"],
    MessageShape<Methods[Name]["input"]>,
    MessageShape<Methods[Name]["output"]>
  >;
};

/** A service ready to be added to a grpc-js server. */
export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
  /** Called when the server begins to stop: ends streams that clients would otherwise keep open. */
  readonly onStop?: () => void;
}

/** Limits that hold for one service besides those of the whole server. */
export interface DefinitionOptions {
  /** Requests with more bytes are refused before they are decoded. Absent: the server's limit alone. */
  readonly maxRequestBytes?: number;
}

/** Returns the grpc-js definition of `service`, for servers and clients alike. */
export function grpcDefinition<Methods extends GenServiceMethods>(
  service: GenService<Methods>,
  options: DefinitionOptions = {},
): GrpcDefinition<Methods> {
  const methods = Object.entries<DescMethod>(service.method);
  const entries = methods.map(([name, method]) => [name, methodDefinition(method, options)]);
  return Object.fromEntries(entries) as GrpcDefinition<Methods>;
}

/** Joins a service's definition and its handlers, checked against each other by the compiler. */
export function grpcService<Methods extends GenServiceMethods>(
  service: GenService<Methods>,
  handlers: GrpcHandlers<Methods>,
  options: DefinitionOptions & { readonly onStop?: () => void } = {},
): GrpcService {
  const definition = grpcDefinition(service, options) as ServiceDefinition;
  const untyped = handlers as unknown as UntypedServiceImplementation;
  return { definition, handlers: untyped, ...(options.onStop && { onStop: options.onStop }) };
}

function methodDefinition(
  method: DescMethod,
  { maxRequestBytes = Infinity }: DefinitionOptions,
): MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: (message) => encode(method.input, message),
    requestDeserialize: (bytes) => decode(method.input, bytes, maxRequestBytes),
    responseSerialize: (message) => encode(method.output, message),
    responseDeserialize: (bytes) => decode(method.output, bytes, Infinity),
  };
}

/** Buffers share the encoder's memory: grpc-js copies them into its frame at once. */
function encode(schema: DescMessage, message: MessageShape<DescMessage>): Buffer {
  const encoded = encodedBytes(message);
  if (encoded !== undefined) return encoded;
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decode(schema: DescMessage, bytes: Uint8Array, maxBytes: number): MessageShape<DescMessage> {
  if (bytes.byteLength > maxBytes) throw new RangeError(`Message of ${bytes.byteLength} bytes, at most ${maxBytes}`);
  return fromBinary(schema, bytes, READ_OPTIONS);
}
