import { deepEqual, equal, ok } from "node:assert/strict";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { catalogOf, type ReflectionCatalog } from "./reflection_catalog.ts";

const base = { name: "base.proto", syntax: "proto3", messageType: [{ name: "Base" }] };
const middle = { name: "middle.proto", package: "m", syntax: "proto3", dependency: ["base.proto"] };
const top = {
  name: "top.proto",
  package: "t",
  syntax: "proto3",
  dependency: ["middle.proto", "base.proto"],
  messageType: [{
    name: "Outer",
    nestedType: [{ name: "Inner", nestedType: [{ name: "Innermost" }] }],
    enumType: [{ name: "Kind", value: [{ name: "KIND_NONE", number: 0 }] }],
  }],
  enumType: [{ name: "Color", value: [{ name: "RED", number: 0 }] }],
  service: [{ name: "Service", method: [{ name: "Get", inputType: ".Base", outputType: ".t.Outer" }] }],
};

function catalog(): ReflectionCatalog {
  // Dependencies first, as a descriptor set has them.
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [base, middle, top] }));
  return catalogOf([registry.getService("t.Service")!]);
}

const namesOf = (files: readonly Uint8Array[] | undefined) =>
  files?.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);

Deno.test("catalogOf() gives with each file every file that it needs, once", () => {
  deepEqual(namesOf(catalog().fileByName("top.proto")), ["top.proto", "middle.proto", "base.proto"]);
  deepEqual(namesOf(catalog().fileByName("middle.proto")), ["middle.proto", "base.proto"]);
  deepEqual(namesOf(catalog().fileByName("base.proto")), ["base.proto"]);
});

Deno.test("catalogOf() knows every declared name, however deep", () => {
  const expected = {
    "t.Service": "top.proto",
    "t.Service.Get": "top.proto",
    "t.Outer": "top.proto",
    "t.Outer.Inner": "top.proto",
    "t.Outer.Inner.Innermost": "top.proto",
    "t.Outer.Kind": "top.proto",
    "t.Outer.KIND_NONE": "top.proto",
    "t.Color": "top.proto",
    "t.RED": "top.proto",
    "Base": "base.proto",
  };
  for (const [symbol, file] of Object.entries(expected)) {
    equal(namesOf(catalog().fileContainingSymbol(symbol))?.[0], file, symbol);
  }
  ok(catalog().messages.has("t.Outer.Inner.Innermost"));
});

Deno.test("catalogOf() knows nothing else", () => {
  for (const symbol of ["", ".", "t", "t.Outer.", ".t.Outer", "Outer", "t.Color.RED", "constructor"]) {
    equal(catalog().fileContainingSymbol(symbol), undefined, symbol);
  }
});
