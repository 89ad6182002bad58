/**
 * The messages of every gRPC service, through the codecs that grpc-js is given; and the two services that answer
 * strangers, health and reflection, on whatever request came out of it.
 *
 * The first byte of an input chooses the message, the rest is its encoding.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import { create, type DescField, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import { type MethodDefinition, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { Health } from "../../../proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1alpha } from "../../../proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { VaultService } from "../../../proto/gen/rune/vault/v1/vault_pb.ts";
import { Metadata } from "../../../proto/gen/runevault/v1/metadata_pb.ts";
import { grpcDefinition, type GrpcService } from "../../../server/grpc/definition.ts";
import { createHealth } from "../../../server/grpc/health.ts";
import { createReflection } from "../../../server/grpc/reflection.ts";
import { anyText, bulkBytes, mutatedBytes } from "../mutations.ts";
import { assertShowsNoSecret, must, PLANTED } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

type Untyped = MethodDefinition<object, object>;

/** One message in one direction. */
interface Codec {
  readonly name: string;
  readonly schema: DescMessage;
  readonly read: (bytes: Buffer) => object;
  readonly write: (message: object) => Buffer;
}

const SERVICES = [VaultService, Metadata, Health, ServerReflection, ServerReflectionV1alpha];
const CODECS: readonly Codec[] = SERVICES.flatMap((service) => codecsOf(service as GenService<GenServiceMethods>));

function codecsOf(service: GenService<GenServiceMethods>): Codec[] {
  const definition = grpcDefinition(service) as unknown as Readonly<Record<string, Untyped>>;
  return Object.entries(service.method).flatMap(([name, method]) => {
    const { path, requestDeserialize, requestSerialize, responseDeserialize, responseSerialize } = definition[name]!;
    return [
      { name: `request of ${path}`, schema: method.input, read: requestDeserialize, write: requestSerialize },
      { name: `response of ${path}`, schema: method.output, read: responseDeserialize, write: responseSerialize },
    ];
  });
}

const text = fc.oneof(
  anyText(30).map((one) => one.toWellFormed()),
  fc.constantFrom(PLANTED.userToken, "rune.vault.v1.VaultService", "vault.proto", "rune/vault/v1/vault.proto", ""),
);

/** A message of a descriptor, as `create` takes it. */
function initOf(schema: DescMessage, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const plain = schema.fields.filter((field) => field.oneof === undefined);
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of plain) model[field.localName] = valueOf(field, depth);
  for (const { localName, fields } of schema.oneofs) {
    model[localName] = fc.oneof(...fields.map((field) => {
      return valueOf(field, depth).map((value) => ({ case: field.localName, value }));
    }));
  }
  return fc.record(model, { requiredKeys: [] });
}

function valueOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind !== "list") return singleOf(field, depth);
  return fc.array(singleOf(field, depth), { maxLength: 4 });
}

function singleOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message !== undefined) {
    const { message } = field;
    return depth > 3 ? fc.constant(undefined) : initOf(message, depth + 1).map((init) => create(message, init));
  }
  if (field.enum !== undefined) return fc.integer({ min: -5, max: 5 });
  switch (field.scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 });
    case ScalarType.DOUBLE:
      return fc.double();
    case ScalarType.BOOL:
      return fc.boolean();
    default:
      return fc.integer();
  }
}

const selector = fc.nat({ max: CODECS.length - 1 });

const valid = selector.chain((which) =>
  initOf(CODECS[which]!.schema, 0).map((init) => {
    const { schema, write } = CODECS[which]!;
    return Uint8Array.of(which, ...write(create(schema, init)));
  })
);

/** Fields as the wire knows them, whatever the message declares. */
const field = fc.tuple(
  fc.oneof(fc.nat({ max: 5 }), fc.constantFrom(0, 15, 16, 2 ** 28, 2 ** 29 - 1, 2 ** 29)),
  fc.nat({ max: 7 }),
  fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.constantFrom(
      Uint8Array.of(2, 0x13, 0x14),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
    ),
  ),
).map(([number, wireType, payload]) => [...varint(number * 8 + wireType), ...payload]);

const wire = fc.tuple(selector, fc.array(field, { maxLength: 8 })).map(([which, fields]) => {
  return Uint8Array.from([which, ...fields.flat()]);
});

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push(rest % 128 + 128);
  return [...bytes, rest];
}

/** Messages of the gRPC services. */
export const target: FuzzTarget = syncTarget(
  "protobuf",
  "bytes",
  fc.oneof(
    { weight: 20, arbitrary: valid },
    { weight: 100, arbitrary: mutatedBytes(valid) },
    { weight: 60, arbitrary: wire },
    { weight: 20, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    {
      weight: 1,
      arbitrary: bulkBytes(100_000, [[0x13], [0x0a, 0], [0x12, 1, 0x61], [0x0b, 0x0c], [0x80], [0xff], [
        0x1a,
        2,
        8,
        0,
      ]]),
    },
  ),
  check,
);

function check(input: Uint8Array): void {
  const codec = CODECS[(input[0] ?? 0) % CODECS.length]!;
  const message = decode(codec, input.subarray(1));
  if (message === undefined) return;
  must(!("$unknown" in message), `${codec.name}: fields that nobody declared are kept`);
  // By their bytes: a score that is no number equals nothing, not even itself.
  const encoded = codec.write(message);
  must(codec.write(codec.read(encoded)).equals(encoded), `${codec.name}: another message comes back`);
  answer(codec, message);
}

/** What is not protobuf is refused by throwing, and the text of it goes to the caller. */
function decode({ name, read }: Codec, bytes: Uint8Array): object | undefined {
  try {
    return read(Buffer.from(bytes));
  } catch (thrown) {
    must(thrown instanceof Error, `${name} threw ${thrown}`);
    must(!/call stack/i.test(thrown.message), `${name} ran out of stack`);
    must(thrown.message.length < 300, `${name}: a message of ${thrown.message.length} characters`);
    assertShowsNoSecret(name, thrown.message);
    return undefined;
  }
}

const health = createHealth(["rune.vault.v1.VaultService"]).service;
const reflection = createReflection([VaultService, Metadata, Health])[0]!;

function answer({ name }: Codec, message: object): void {
  if (name === "request of /grpc.health.v1.Health/Check") askHealth(message);
  if (name.startsWith("request of /grpc.reflection.")) askReflection(message);
}

function askHealth(request: object): void {
  let outcome: unknown;
  const respond = (error: { code: status } | null) => outcome = error === null ? status.OK : error.code;
  handlerOf(health, "check")({ request }, respond);
  must(outcome === status.OK || outcome === status.NOT_FOUND, `health answered ${outcome}`);
}

/** A stream that hands over one request and keeps what is written. */
class OneRequest extends EventEmitter {
  readonly written: object[] = [];
  write(message: object): boolean {
    return this.written.push(message) > 0;
  }
}

function askReflection(request: object): void {
  const stream = new OneRequest();
  handlerOf(reflection, "serverReflectionInfo")(stream);
  stream.emit("data", request);
  stream.emit("cancelled");
  must(stream.written.length === 1, `reflection wrote ${stream.written.length} answers`);
  const { output } = ServerReflection.method.serverReflectionInfo;
  must(toBinary(output, stream.written[0] as never).length > 0, "reflection wrote nothing");
}

function handlerOf({ handlers }: GrpcService, name: string): (...parts: unknown[]) => void {
  return handlers[name] as unknown as (...parts: unknown[]) => void;
}
