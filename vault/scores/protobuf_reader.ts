/**
 * A strict reader of the protobuf wire format, for the two messages of a score ciphertext.
 *
 * Generated code would do, but it materialises every field before anything is checked. This reader hands out views
 * into the input, counts fields, and refuses what a decoder usually forgives: truncated values, over-long varints,
 * groups, field number 0.
 *
 * @module
 */

import { VaultError } from "../errors.ts";

/** The wire types of the protobuf encoding that this reader accepts. */
export const WIRE_VARINT = 0;
/** Eight bytes. */
const WIRE_FIXED64 = 1;
/** A length, then that many bytes. */
export const WIRE_BYTES = 2;
/** Four bytes. */
const WIRE_FIXED32 = 5;

/** Fields one message may have: far above any real one, so that padding a message costs its sender more than us. */
export const MAX_FIELDS = 16_384;

/** What stands before a field's value. */
export interface FieldTag {
  readonly field: number;
  readonly wireType: number;
}

/** Reads the fields of one message in order. Every failure is `invalid_argument` and names `what` was read. */
export class ProtobufReader {
  #at = 0;
  #fields = 0;

  constructor(readonly bytes: Uint8Array, readonly what: string) {}

  /** Whether the message has ended. */
  get ended(): boolean {
    return this.#at >= this.bytes.length;
  }

  /** Reads the next tag. */
  tag(): FieldTag {
    if (++this.#fields > MAX_FIELDS) throw this.#malformed(`has more than ${MAX_FIELDS} fields`);
    const tag = this.varint();
    const field = Math.floor(tag / 8);
    if (field < 1 || field > 0x1fffffff) throw this.#malformed("has an invalid field number");
    return { field, wireType: tag % 8 };
  }

  /** Reads a varint: exact up to 2^53, above that rounded, which is enough to see that it is too large. */
  varint(): number {
    let value = 0;
    for (let i = 0, unit = 1; i < 10; i++, unit *= 128) {
      const byte = this.bytes[this.#at++];
      if (byte === undefined) throw this.#malformed("is truncated");
      // The tenth byte has room for one bit of a 64-bit value.
      if (i === 9 && byte > 1) break;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
    throw this.#malformed("has a varint of more than 64 bits");
  }

  /** Reads a length-delimited value; the result is a view into the input. */
  lengthDelimited(): Uint8Array {
    return this.#take(this.varint());
  }

  /** Throws unless a field has the wire type that it must have. */
  expect(tag: FieldTag, ...wireTypes: number[]): void {
    if (!wireTypes.includes(tag.wireType)) {
      throw this.#malformed(`has field ${tag.field} with wire type ${tag.wireType}`);
    }
  }

  /** Passes over the value of an unknown field. */
  skip(tag: FieldTag): void {
    if (tag.wireType === WIRE_VARINT) this.varint();
    else if (tag.wireType === WIRE_FIXED64) this.#take(8);
    else if (tag.wireType === WIRE_BYTES) this.lengthDelimited();
    else if (tag.wireType === WIRE_FIXED32) this.#take(4);
    else this.expect(tag);
  }

  #take(length: number): Uint8Array {
    if (length > this.bytes.length - this.#at) throw this.#malformed("is truncated");
    return this.bytes.subarray(this.#at, this.#at += length);
  }

  #malformed(problem: string): VaultError {
    return new VaultError("invalid_argument", `${this.what} ${problem}`);
  }
}
