import { deepEqual, equal, ok } from "node:assert/strict";
import { create, createFileRegistry, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ChannelCredentials, Client, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { VaultService } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { soon } from "../../tests/soon.ts";
import { start } from "./_test_support.ts";
import { grpcDefinition } from "./definition.ts";
import { createReflection } from "./reflection.ts";
import { ownNow } from "../../tests/own_time.ts";

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

const method = grpcDefinition(ServerReflection).serverReflectionInfo;
const V1ALPHA_PATH = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

async function startReflection() {
  const server = await start({ services: createReflection([VaultService, Health]), stopGraceMs: 5000 });
  return { server, [Symbol.asyncDispose]: () => server.stop() };
}

function openStream(address: string, path = method.path) {
  const client = new Client(address, ChannelCredentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const stream = client.makeBidiStreamRequest(
    path,
    method.requestSerialize,
    method.responseDeserialize,
    new Metadata(),
  );
  return { client, stream };
}

/** Asks all questions on one stream and returns the answers in order. */
function ask(address: string, questions: readonly Question[], path?: string): Promise<ServerReflectionResponse[]> {
  const { client, stream } = openStream(address, path);
  const answers: ServerReflectionResponse[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<ServerReflectionResponse[]>();
  stream.on("data", (answer: ServerReflectionResponse) => answers.push(answer));
  stream.on("error", reject);
  stream.on("end", () => resolve(answers));
  for (const messageRequest of questions) {
    stream.write(create(ServerReflectionRequestSchema, { host: "h", messageRequest }));
  }
  stream.end();
  return soon(promise).finally(() => client.close());
}

const askOne = async (address: string, question: Question) => (await ask(address, [question]))[0]!;

function filesOf({ messageResponse }: ServerReflectionResponse): FileDescriptorProto[] {
  if (messageResponse.case !== "fileDescriptorResponse") throw new Error(`got ${messageResponse.case}`);
  return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

function errorOf({ messageResponse }: ServerReflectionResponse): number {
  if (messageResponse.case !== "errorResponse") throw new Error(`got ${messageResponse.case}`);
  return messageResponse.value.errorCode;
}

Deno.test("reflection lists every service, in both versions", async () => {
  await using running = await startReflection();
  for (const path of [method.path, V1ALPHA_PATH]) {
    const [answer] = await ask(running.server.address, [{ case: "listServices", value: "*" }], path);
    equal(answer?.validHost, "h");
    equal(answer?.originalRequest?.messageRequest.case, "listServices");
    if (answer?.messageResponse.case !== "listServicesResponse") throw new Error("no list");
    deepEqual(answer.messageResponse.value.service.map(({ name }) => name), [
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "rune.vault.v1.VaultService",
    ]);
  }
});

Deno.test("reflection gives the file that declares a symbol, and it is enough to call the service", async () => {
  await using running = await startReflection();
  const symbols = [
    "rune.vault.v1.VaultService",
    "rune.vault.v1.VaultService.GetAgentManifest",
    "rune.vault.v1.ScoreEntry",
    "rune.vault.v1.ScoreEntry.shard_idx",
  ];
  for (const value of symbols) {
    const files = filesOf(await askOne(running.server.address, { case: "fileContainingSymbol", value }));
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: files }));
    const service = registry.getService("rune.vault.v1.VaultService");
    deepEqual(service?.methods.map(({ name }) => name).sort(), [
      "DecryptMetadata",
      "DecryptScores",
      "GetAgentManifest",
      "GetPublicKey",
    ]);
    equal(registry.getMessage("rune.vault.v1.ScoreEntry")?.field["rowIdx"]?.number, 2);
  }
});

Deno.test("reflection finds nested messages, enums and their values", async () => {
  await using running = await startReflection();
  const symbols = [
    "grpc.health.v1.HealthCheckResponse.ServingStatus",
    "grpc.health.v1.HealthCheckResponse.NOT_SERVING",
  ];
  for (const value of symbols) {
    const files = filesOf(await askOne(running.server.address, { case: "fileContainingSymbol", value }));
    deepEqual(files.map(({ name }) => name), ["grpc/health/v1/health.proto"]);
  }
});

Deno.test("reflection gives a file by its name", async () => {
  await using running = await startReflection();
  const value = "rune/vault/v1/vault.proto";
  const [file] = filesOf(await askOne(running.server.address, { case: "fileByFilename", value }));
  equal(file?.name, value);
  equal(file?.package, "rune.vault.v1");
});

Deno.test("reflection answers what it does not know with an error, and goes on", async () => {
  await using running = await startReflection();
  const questions: Question[] = [
    { case: "fileContainingSymbol", value: "nope.Nope" },
    { case: "fileContainingSymbol", value: "" },
    { case: "fileContainingSymbol", value: "__proto__" },
    { case: "fileByFilename", value: "../../etc/passwd" },
    { case: "allExtensionNumbersOfType", value: "nope.Nope" },
    { case: "fileContainingExtension", value: { containingType: "rune.vault.v1.ScoreEntry", extensionNumber: 5 } },
    { case: undefined },
    { case: "fileByFilename", value: "rune/vault/v1/vault.proto" },
  ];
  const answers = await ask(running.server.address, questions);
  const { NOT_FOUND, INVALID_ARGUMENT } = status;
  const errors = answers.slice(0, -1).map(errorOf);
  deepEqual(errors, [...Array(6).fill(NOT_FOUND), INVALID_ARGUMENT]);
  equal(filesOf(answers.at(-1)!).length, 1);
});

Deno.test("reflection says that known messages have no extensions", async () => {
  await using running = await startReflection();
  const value = "rune.vault.v1.ScoreEntry";
  const { messageResponse } = await askOne(running.server.address, { case: "allExtensionNumbersOfType", value });
  if (messageResponse.case !== "allExtensionNumbersResponse") throw new Error(`got ${messageResponse.case}`);
  equal(messageResponse.value.baseTypeName, value);
  deepEqual(messageResponse.value.extensionNumber, []);
});

Deno.test("reflection answers ten thousand questions on one stream", async () => {
  await using running = await startReflection();
  const question: Question = { case: "fileContainingSymbol", value: "rune.vault.v1.VaultService" };
  const answers = await ask(running.server.address, Array(10_000).fill(question));
  equal(answers.length, 10_000);
});

Deno.test("stop() ends reflection streams that are left open", async () => {
  const running = await startReflection();
  const { client, stream } = openStream(running.server.address);
  const ended = new Promise<number>((resolve) => stream.on("error", (error: ServiceError) => resolve(error.code)));
  stream.write(create(ServerReflectionRequestSchema, { messageRequest: { case: "listServices", value: "" } }));
  await new Promise((resolve) => stream.once("data", resolve));
  const startedAt = ownNow();
  await running.server.stop();
  ok(ownNow() - startedAt < 1000);
  equal(await soon(ended), status.UNAVAILABLE);
  client.close();
});
