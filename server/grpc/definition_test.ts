import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { create, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import {
  DecryptMetadataRequestSchema,
  DecryptScoresResponseSchema,
  VaultService,
} from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { grpcDefinition } from "./definition.ts";

Deno.test("grpcDefinition() names each method as the wire does, and its kind", () => {
  const kinds = (methods: object) =>
    Object.values(methods).map(({ path, requestStream, responseStream }) => [path, requestStream, responseStream]);
  deepEqual(kinds(grpcDefinition(VaultService)), [
    ["/rune.vault.v1.VaultService/GetPublicKey", false, false],
    ["/rune.vault.v1.VaultService/GetAgentManifest", false, false],
    ["/rune.vault.v1.VaultService/DecryptScores", false, false],
    ["/rune.vault.v1.VaultService/DecryptMetadata", false, false],
  ]);
  deepEqual(kinds(grpcDefinition(Health)), [
    ["/grpc.health.v1.Health/Check", false, false],
    ["/grpc.health.v1.Health/Watch", false, true],
  ]);
  deepEqual(kinds(grpcDefinition(ServerReflection)), [
    ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true, true],
  ]);
});

Deno.test("grpcDefinition() writes the field numbers that old clients know", () => {
  const { decryptMetadata, decryptScores } = grpcDefinition(VaultService);
  const request = create(DecryptMetadataRequestSchema, { token: "t", encryptedMetadataList: ["a", "b"] });
  equal(decryptMetadata.requestSerialize(request).toString("hex"), "0a0174" + "120161" + "120162");
  const response = create(DecryptScoresResponseSchema, { results: [{ shardIdx: 1, rowIdx: 2, score: 0.5 }] });
  equal(decryptScores.responseSerialize(response).toString("hex"), "0a0d" + "0801" + "1002" + "19000000000000e03f");
});

Deno.test("a definition's codec gives back what it was given", () => {
  const { requestSerialize, requestDeserialize } = grpcDefinition(VaultService).decryptMetadata;
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.array(fc.string({ unit: "binary" })),
      (token, encryptedMetadataList) => {
        const message = create(DecryptMetadataRequestSchema, { token, encryptedMetadataList });
        deepEqual(requestDeserialize(requestSerialize(message)), message);
      },
    ),
  );
});

Deno.test("a definition's codec reads any bytes as a message, or throws", () => {
  const { decryptMetadata, decryptScores } = grpcDefinition(VaultService);
  const { serverReflectionInfo } = grpcDefinition(ServerReflection);
  const valid = toBinary(DecryptMetadataRequestSchema, create(DecryptMetadataRequestSchema, { token: "evt_a" }));
  const garbled = fc.tuple(fc.uint8Array(), fc.uint8Array()).map(([head, tail]) => Buffer.concat([head, valid, tail]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 500 }), garbled), (bytes) => {
      for (const { requestDeserialize } of [decryptMetadata, decryptScores, serverReflectionInfo]) {
        try {
          ok("$typeName" in requestDeserialize(Buffer.from(bytes)));
        } catch (thrown) {
          ok(thrown instanceof Error);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("grpcDefinition() with maxRequestBytes refuses longer requests unread", () => {
  const { check } = grpcDefinition(Health, { maxRequestBytes: 10 });
  equal(check.requestDeserialize(Buffer.from("\n\x08abcdefgh")).service, "abcdefgh");
  throws(() => check.requestDeserialize(Buffer.from("\n\x09abcdefghi")), RangeError);
});
