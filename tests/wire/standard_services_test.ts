/**
 * Health and reflection, as load balancers and grpcurl ask for them.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { create, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { grpcDefinition } from "../../server/grpc/definition.ts";
import { VaultClient } from "../clients.ts";
import { StartedServer } from "../started_server.ts";
import { sharedServer } from "./_shared_server.ts";

const shared = sharedServer();
const reflection = grpcDefinition(ServerReflection).serverReflectionInfo;

/** Asks one question of a reflection service, `v1` or `v1alpha`. */
function reflect(vault: VaultClient, version: string, question: Parameters<typeof askFor>[0]) {
  const path = reflection.path.replace(".v1.", `.${version}.`);
  const { requestSerialize, responseDeserialize } = reflection;
  const stream = vault.channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const { promise, resolve, reject } = Promise.withResolvers<ServerReflectionResponse["messageResponse"]>();
  stream.on("data", (answer: ServerReflectionResponse) => resolve(answer.messageResponse));
  stream.on("error", reject);
  stream.write(askFor(question));
  stream.end();
  return promise;
}

function askFor(messageRequest: { case: "listServices" | "fileContainingSymbol"; value: string }) {
  return create(ServerReflectionRequestSchema, { messageRequest });
}

Deno.test("health knows the whole server and the vault's services, and nothing else, without a token", async () => {
  const { vault } = shared();
  for (const service of ["", "rune.vault.v1.VaultService", "runevault.v1.Metadata"]) {
    equal((await vault.health(service)).message?.status, Serving.SERVING, service);
  }
  equal((await vault.health("rune.vault.v1.Nothing")).code, status.NOT_FOUND);
});

Deno.test("reflection lists the services and describes them, in both versions", async () => {
  const { vault } = shared();
  for (const version of ["v1", "v1alpha"]) {
    const list = await reflect(vault, version, { case: "listServices", value: "" });
    ok(list.case === "listServicesResponse");
    const names = list.value.service.map(({ name }) => name);
    for (const name of ["rune.vault.v1.VaultService", "runevault.v1.Metadata", "grpc.health.v1.Health"]) {
      ok(names.includes(name), `${version} lists ${name}: ${names}`);
    }
    const file = await reflect(vault, version, { case: "fileContainingSymbol", value: "rune.vault.v1.VaultService" });
    ok(file.case === "fileDescriptorResponse");
    const [service] = fromBinary(FileDescriptorProtoSchema, file.value.fileDescriptorProto[0]!).service;
    const methods = service?.method.map(({ name }) => name).sort();
    deepEqual(methods, ["DecryptMetadata", "DecryptScores", "GetAgentManifest", "GetPublicKey"]);
  }
});

Deno.test("who watches the health is told of the stop, and does not hold it up", async () => {
  const server = await StartedServer.start();
  using vault = VaultClient.of(server);
  const { path, requestSerialize, responseDeserialize } = grpcDefinition(Health).watch;
  const request = create(HealthCheckRequestSchema);
  const stream = vault.channel.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  const seen: Serving[] = [];
  const first = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<status>();
  stream.on("data", (answer: HealthCheckResponse) => {
    seen.push(answer.status);
    first.resolve();
  });
  stream.on("error", (error: { code: status }) => ended.resolve(error.code));
  await first.promise;
  const began = performance.now();
  equal(await server.stop(), 0);
  // Whoever holds a stop up does so for the ten seconds that calls in flight have.
  ok(performance.now() - began < 9500, "the stop did not wait for the watcher");
  equal(await ended.promise, status.UNAVAILABLE);
  deepEqual(seen, [Serving.SERVING, Serving.NOT_SERVING]);
});
