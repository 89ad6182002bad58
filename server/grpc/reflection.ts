/**
 * Server reflection, v1 and v1alpha: tells clients such as grpcurl and `buf curl` what is served.
 *
 * It answers from the descriptors inside the generated code and reads no file, as a compiled binary has none. It needs
 * no token and shows the public contract alone.
 *
 * @module
 */

import { create, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import { type handleBidiStreamingCall, type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1alpha } from "../../proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { type GrpcService, grpcService } from "./definition.ts";
import { catalogOf, type ReflectionCatalog } from "./reflection_catalog.ts";

/** A request is one name; a stranger's need not be. */
const MAX_REQUEST_BYTES = 4096;
/** Clients hold one stream while they look around. */
export const MAX_STREAMS = 100;

type Stream = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;
type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/**
 * Returns the two reflection services, which describe `services` and themselves.
 *
 * v1alpha differs from v1 in its name alone, so both are served with the codec of v1.
 *
 * @param maxStreams Streams that may be open at a time.
 */
export function createReflection(
  services: readonly DescService[],
  maxStreams = MAX_STREAMS,
): readonly GrpcService[] {
  const catalog = catalogOf([...services, ServerReflection, ServerReflectionV1alpha]);
  const open = new Set<Stream>();
  const serverReflectionInfo: handleBidiStreamingCall<ServerReflectionRequest, ServerReflectionResponse> = (stream) => {
    if (open.size >= maxStreams) return endStream(stream, status.RESOURCE_EXHAUSTED, "Too many reflection streams");
    open.add(stream);
    stream.once("cancelled", () => open.delete(stream));
    answerRequests(stream, catalog);
  };
  const onStop = () => open.forEach((stream) => endStream(stream, status.UNAVAILABLE, "The server is stopping"));
  const v1 = grpcService(ServerReflection, { serverReflectionInfo }, { maxRequestBytes: MAX_REQUEST_BYTES, onStop });
  return [v1, underName(v1, ServerReflectionV1alpha.typeName)];
}

/** The same methods under another service's name. */
function underName(service: GrpcService, typeName: string): GrpcService {
  const methods = Object.entries(service.definition).map(([name, method]) => {
    return [name, { ...method, path: `/${typeName}/${method.path.split("/").at(-1)}` }];
  });
  return { definition: Object.fromEntries(methods), handlers: service.handlers };
}

/** One response a request, in order; a client that does not read its responses is not read from. */
function answerRequests(stream: Stream, catalog: ReflectionCatalog): void {
  stream.on("data", (request: ServerReflectionRequest) => {
    const messageResponse = answerTo(request, catalog);
    const init = { validHost: request.host, originalRequest: request, messageResponse };
    if (stream.write(create(ServerReflectionResponseSchema, init))) return;
    stream.pause();
    stream.once("drain", () => stream.resume());
  });
  stream.on("end", () => stream.end());
}

function answerTo(request: ServerReflectionRequest, catalog: ReflectionCatalog): Answer {
  const asked = request.messageRequest;
  switch (asked.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: catalog.services.map((name) => ({ name })) } };
    case "fileByFilename":
      return fileAnswer(catalog.fileByName(asked.value), "file");
    case "fileContainingSymbol":
      return fileAnswer(catalog.fileContainingSymbol(asked.value), "symbol");
    case "allExtensionNumbersOfType":
      // The contract declares no extension, so a message that is known has none.
      if (!catalog.messages.has(asked.value)) return errorAnswer(status.NOT_FOUND, "The server knows no such message");
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: asked.value } };
    case "fileContainingExtension":
      return errorAnswer(status.NOT_FOUND, "The server knows no such extension");
    case undefined:
      return errorAnswer(status.INVALID_ARGUMENT, "The request asks for nothing that this server knows");
  }
}

function fileAnswer(files: readonly Uint8Array[] | undefined, asked: "file" | "symbol"): Answer {
  if (files === undefined) return errorAnswer(status.NOT_FOUND, `The server knows no such ${asked}`);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [...files] } };
}

function errorAnswer(errorCode: status, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** grpc-js takes an `error` event on a response stream as its final status. */
function endStream(stream: Stream, code: status, details: string): void {
  stream.emit("error", { code, details });
}
