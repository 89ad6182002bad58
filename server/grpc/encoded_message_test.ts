import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { DecryptMetadataResponseSchema, GetPublicKeyResponseSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { encodedBytes, encodedText, encodedTexts } from "./encoded_message.ts";

const { keyBundleJson } = GetPublicKeyResponseSchema.field;
const { decryptedMetadata } = DecryptMetadataResponseSchema.field;
const utf8 = (text: string) => Buffer.from(text, "utf8");

Deno.test("encodedText() sends what the codec would send for the joined text", () => {
  const parts = fc.array(fc.string({ unit: "grapheme", maxLength: 300 }), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(parts, (texts) => {
    fc.pre(texts.join("") !== "");
    const bytes = encodedBytes(encodedText(GetPublicKeyResponseSchema, keyBundleJson, texts.map(utf8)));
    const message = create(GetPublicKeyResponseSchema, { keyBundleJson: texts.join("") });
    assert.deepEqual(new Uint8Array(bytes!), toBinary(GetPublicKeyResponseSchema, message));
  }));
});

Deno.test("encodedTexts() sends what the codec would send for the list, empty texts and an empty list too", () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 300 })), (texts) => {
    const bytes = encodedBytes(encodedTexts(DecryptMetadataResponseSchema, decryptedMetadata, texts.map(utf8)));
    const message = create(DecryptMetadataResponseSchema, { decryptedMetadata: texts });
    assert.deepEqual(new Uint8Array(bytes!), toBinary(DecryptMetadataResponseSchema, message));
  }));
});

Deno.test("a text of megabytes has its length written right", () => {
  const large = Buffer.alloc(3_000_000, "x");
  const bytes = encodedBytes(encodedText(GetPublicKeyResponseSchema, keyBundleJson, [large, large]));
  assert.equal(fromBinary(GetPublicKeyResponseSchema, bytes!).keyBundleJson.length, 6_000_000);
});

Deno.test("an encoded message shows nothing of what it holds to whoever prints it", () => {
  const message = encodedText(GetPublicKeyResponseSchema, keyBundleJson, [utf8("a secret")]);
  assert.ok(!JSON.stringify(message).includes("secret"));
  assert.equal(encodedBytes(create(GetPublicKeyResponseSchema)), undefined);
});
