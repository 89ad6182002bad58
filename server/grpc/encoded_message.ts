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
/** Less than this is joined before it goes to another thread: handing over a part costs more than copying it. */
const SMALL_BYTES = 16 * 1024;

/** Length-delimited records of one field (protobuf encoding, wire type 2), each to be joined from its parts. */
interface Records {
  readonly field: DescField;
  readonly records: readonly (readonly Uint8Array[])[];
}

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
  return withRecords(schema, { field, records: [parts] });
}

/** As {@link encodedText}, for a repeated text field: one UTF-8 text each. */
export function encodedTexts<Desc extends DescMessage>(
  schema: Desc,
  field: DescField,
  texts: readonly Uint8Array[],
): MessageShape<Desc> {
  return withRecords(schema, { field, records: texts.map((text) => [text]) });
}

/** The bytes of a message made by {@link encodedText}, or undefined. */
export function encodedBytes(message: object): Buffer | undefined {
  const held = recordsOf(message);
  return held === undefined ? undefined : encode(held);
}

/** As {@link encodedBytes}, in parts to be joined: the large ones are those that were given, not copies. */
export function encodedParts(message: object): readonly Uint8Array[] | undefined {
  const held = recordsOf(message);
  if (held === undefined) return undefined;
  if (sizeOf(held) <= SMALL_BYTES) return [encode(held)];
  return held.records.flatMap((parts) => [headOf(held.field, lengthOf(parts)), ...parts]);
}

function recordsOf(message: object): Records | undefined {
  return (message as { [ENCODED]?: Records })[ENCODED];
}

function encode({ field, records }: Records): Buffer {
  const bytes = Buffer.allocUnsafe(sizeOf({ field, records }));
  let at = 0;
  for (const parts of records) {
    at = writeHead(bytes, at, field, lengthOf(parts));
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes.subarray(0, at);
}

/** At most. */
function sizeOf({ records }: Records): number {
  return records.reduce((sum, parts) => sum + MAX_HEAD_BYTES + lengthOf(parts), 0);
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function headOf(field: DescField, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(MAX_HEAD_BYTES);
  return bytes.subarray(0, writeHead(bytes, 0, field, length));
}

function writeHead(bytes: Buffer, at: number, field: DescField, length: number): number {
  return writeVarint(bytes, writeVarint(bytes, at, field.number << 3 | LENGTH_DELIMITED), length);
}

function writeVarint(bytes: Buffer, start: number, value: number): number {
  let at = start;
  for (; value > 127; value >>>= 7) bytes[at++] = value & 127 | 128;
  bytes[at++] = value;
  return at;
}

function withRecords<Desc extends DescMessage>(schema: Desc, records: Records): MessageShape<Desc> {
  const message = create(schema);
  Object.defineProperty(message, ENCODED, { value: records });
  return message;
}
