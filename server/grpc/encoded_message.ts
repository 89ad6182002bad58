/**
 * Messages that are encoded before grpc-js sees them: megabytes that are the same in each answer are not encoded anew
 * for each.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { create, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";

const ENCODED = Symbol("encoded");
const LENGTH_DELIMITED = 2;
/** A field's tag and a length below 2^32. */
const MAX_HEAD_BYTES = 10;

/**
 * A message whose one set field is a text, given as the UTF-8 parts of it.
 *
 * @returns A message that is empty to whoever looks at it, and is sent as encoded here.
 */
export function encodedText<Desc extends DescMessage>(
  schema: Desc,
  field: DescField,
  parts: readonly Uint8Array[],
): MessageShape<Desc> {
  return withBytes(schema, encode(field, [parts]));
}

/** As {@link encodedText}, for a repeated text field: one UTF-8 text each. */
export function encodedTexts<Desc extends DescMessage>(
  schema: Desc,
  field: DescField,
  texts: readonly Uint8Array[],
): MessageShape<Desc> {
  return withBytes(schema, encode(field, texts.map((text) => [text])));
}

/** The bytes of a message made by {@link encodedText}, or undefined. */
export function encodedBytes(message: object): Buffer | undefined {
  return (message as { [ENCODED]?: Buffer })[ENCODED];
}

/** Length-delimited records of one field (protobuf encoding, wire type 2), each with its parts joined. */
function encode(field: DescField, records: readonly (readonly Uint8Array[])[]): Buffer {
  const lengths = records.map((parts) => parts.reduce((sum, part) => sum + part.length, 0));
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + MAX_HEAD_BYTES + length, 0));
  let at = 0;
  for (const [index, parts] of records.entries()) {
    at = writeVarint(bytes, writeVarint(bytes, at, field.number << 3 | LENGTH_DELIMITED), lengths[index]!);
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes.subarray(0, at);
}

function writeVarint(bytes: Buffer, start: number, value: number): number {
  let at = start;
  for (; value > 127; value >>>= 7) bytes[at++] = value & 127 | 128;
  bytes[at++] = value;
  return at;
}

function withBytes<Desc extends DescMessage>(schema: Desc, bytes: Buffer): MessageShape<Desc> {
  const message = create(schema);
  Object.defineProperty(message, ENCODED, { value: bytes });
  return message;
}
