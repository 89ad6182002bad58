/**
 * Messages that are encoded before grpc-js sees them: megabytes that are the same in each answer are not encoded anew
 * for each.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { create, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

const ENCODED = Symbol("encoded");

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
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = new BinaryWriter().tag(field.number, WireType.LengthDelimited).uint32(length).finish();
  const message = create(schema);
  Object.defineProperty(message, ENCODED, { value: Buffer.concat([head, ...parts]) });
  return message;
}

/** The bytes of a message made by {@link encodedText}, or undefined. */
export function encodedBytes(message: object): Buffer | undefined {
  return (message as { [ENCODED]?: Buffer })[ENCODED];
}
