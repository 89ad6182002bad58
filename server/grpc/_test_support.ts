/**
 * What the tests of this room share: a started server, a typed client, a raw HTTP/2 client, certificates.
 *
 * @module
 */

import { NO_AUDIT } from "../../tests/fakes/no_audit.ts";
import { Buffer } from "node:buffer";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { create } from "@bufbuild/protobuf";
import {
  ChannelCredentials,
  Client,
  type ClientOptions,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { GetAgentManifestResponseSchema, VaultService } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { Metadata as MetadataService, SealMetadataResponseSchema } from "../../proto/gen/runevault/v1/metadata_pb.ts";
import { soon } from "../../tests/soon.ts";
import type { Logger } from "../../vault/ports.ts";
import { plaintextCredentials } from "./credentials.ts";
import { grpcDefinition, type GrpcService, grpcService } from "./definition.ts";
import { createGrpcServer, type GrpcServer, type GrpcServerOptions } from "./server.ts";
import { type CallContext, createUnary, type ObservedCall, type Unary, type UnaryAnswer } from "./unary.ts";

export const vault = grpcDefinition(VaultService);
export const metadataService = grpcDefinition(MetadataService);

/** A logger and an observer that keep what they are told. */
export function recordingPorts() {
  const events: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const observed: ObservedCall[] = [];
  const logger: Logger = { log: (level, event, fields = {}) => void events.push({ level, event, fields }) };
  const ports = {
    logger,
    clock: { monotonic: () => performance.now() },
    random: { bytes: (length: number) => new Uint8Array(length).fill(7) },
    observe: (call: ObservedCall) => void observed.push(call),
  };
  return { events, observed, ports };
}

/** The vault's services with one and the same answer behind every method that matters to a test. */
export function servicesAnswering(
  unary: Unary,
  answer: UnaryAnswer<unknown, string>,
): GrpcService[] {
  const manifest = (json: string) => create(GetAgentManifestResponseSchema, { manifestJson: json });
  const envelopes = (json: string) => create(SealMetadataResponseSchema, { envelopes: [json] });
  const refuse = () => {
    throw new TypeError("no test calls this");
  };
  const { method } = VaultService;
  return [
    grpcService(VaultService, {
      getAgentManifest: unary(method.getAgentManifest, then(answer, manifest)),
      getPublicKey: unary(method.getPublicKey, refuse),
      decryptScores: unary(method.decryptScores, refuse),
      decryptMetadata: unary(method.decryptMetadata, refuse),
    }),
    grpcService(MetadataService, {
      sealMetadata: unary(MetadataService.method.sealMetadata, then(answer, envelopes)),
    }),
  ];
}

function then<Response>(answer: UnaryAnswer<unknown, string>, make: (text: string) => Response) {
  return (request: unknown, context: CallContext): Response | Promise<Response> => {
    const text = answer(request, context);
    return text instanceof Promise ? text.then(make) : make(text);
  };
}

/** A server on a free port whose methods all give `answer`. */
export async function startAnswering(
  answer: UnaryAnswer<unknown, string>,
  options: Partial<GrpcServerOptions> = {},
) {
  const recorded = recordingPorts();
  const services = servicesAnswering(createUnary({ ...NO_AUDIT, ...recorded.ports }), answer);
  const server = await start({ services, ...options });
  return { ...recorded, server, [Symbol.asyncDispose]: () => server.stop() };
}

export function start(options: Pick<GrpcServerOptions, "services"> & Partial<GrpcServerOptions>): Promise<GrpcServer> {
  return createGrpcServer({
    address: "127.0.0.1:0",
    credentials: plaintextCredentials(),
    stopGraceMs: 500,
    ...options,
  });
}

/** How a call ended: `message` when it went well; code, details and trailers always. */
export interface Ended<Response> {
  readonly message: Response | undefined;
  readonly code: status;
  readonly details: string;
  readonly trailers: Metadata;
}

export interface CallOptions {
  readonly metadata?: Record<string, string | string[]>;
  readonly deadlineMs?: number;
  readonly credentials?: ChannelCredentials;
  readonly channel?: ClientOptions;
  readonly signal?: AbortSignal;
}

/** Calls a unary method over a connection of its own. */
export async function call<Request, Response>(
  address: string,
  method: MethodDefinition<Request, Response>,
  request: Request,
  options: CallOptions = {},
): Promise<Ended<Response>> {
  const client = new Client(address, options.credentials ?? ChannelCredentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.use_local_subchannel_pool": 1,
    ...options.channel,
  });
  try {
    return await callOn(client, method, request, options);
  } finally {
    client.close();
  }
}

export function callOn<Request, Response>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  request: Request,
  { metadata = {}, deadlineMs = 20_000, signal }: CallOptions = {},
): Promise<Ended<Response>> {
  return new Promise((resolve) => {
    const deadline = Date.now() + deadlineMs;
    const { path, requestSerialize, responseDeserialize } = method;
    const done = (error: ServiceError | null, message?: Response) => {
      if (error === null) resolve({ message, code: status.OK, details: "", trailers: new Metadata() });
      else resolve({ message: undefined, code: error.code, details: error.details, trailers: error.metadata });
    };
    const sent = toMetadata(metadata);
    const pending = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, sent, {
      deadline,
    }, done);
    signal?.addEventListener("abort", () => pending.cancel());
  });
}

export function toMetadata(entries: Record<string, string | string[]>): Metadata {
  const metadata = new Metadata();
  for (const [key, values] of Object.entries(entries)) {
    for (const value of Array.isArray(values) ? values : [values]) metadata.add(key, value);
  }
  return metadata;
}

/** What came back on a raw HTTP/2 stream. */
export interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly rstCode: number | undefined;
}

/** An HTTP/2 client that sends whatever it is told. */
export function rawClient(address: string): { session: ClientHttp2Session } & Disposable {
  const session = connect(`http://${address}`);
  session.on("error", () => {});
  return { session, [Symbol.dispose]: () => session.destroy() };
}

const GRPC_HEADERS = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };

/** Sends one request with `body` as it stands, and waits for the stream to close. */
export function rawRequest(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: Uint8Array = new Uint8Array(),
): Promise<RawAnswer> {
  const stream = session.request({ ...GRPC_HEADERS, ...headers });
  const chunks: Buffer[] = [];
  let answered: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const { promise, resolve } = Promise.withResolvers<RawAnswer>();
  stream.on("response", (received) => answered = received);
  stream.on("trailers", (received) => trailers = received);
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => {});
  stream.on("close", () => {
    resolve({ headers: answered, trailers, body: Buffer.concat(chunks), rstCode: stream.rstCode });
  });
  stream.end(Buffer.from(body));
  return soon(promise);
}

/** The status of an answer, wherever gRPC put it. */
export function statusOf({ headers, trailers }: RawAnswer): number {
  return Number(trailers["grpc-status"] ?? headers["grpc-status"]);
}

/** A gRPC frame: flag, length, message. */
export function frame(message: Uint8Array, { flag = 0, length = message.byteLength } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}
