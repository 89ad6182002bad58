/**
 * Inputs that are nearly right: valid ones with a few edits, which get further into a parser than noise does.
 *
 * @module
 */

import fc from "fast-check";

type Sequence = string | Uint8Array;

/** One edit; places and lengths are taken modulo what there is. */
interface Edit<T> {
  readonly kind: "replace" | "insert" | "delete" | "double" | "repeat" | "cut";
  readonly at: number;
  readonly length: number;
  readonly times: number;
  readonly piece: T;
}

const KINDS = ["replace", "insert", "delete", "double", "repeat", "cut"] as const;
const MAX_EDITS = 4;

/** Text that most parsers have to do with: controls, marks, halves of characters, numbers that are none. */
export const AWKWARD_TEXT: readonly string[] = [
  ..."\0\t\n\r\u000b\u001b\u007f\u0085\u00a0\u200b\u202e\u2028\u2029\ufeff\ufffd \"'`\\/|<>#&*!%@,:;=?-+.~^$()[]{}",
  "\r\n",
  "\ud800",
  "\udc00",
  "💥",
  "é",
  "ﬀ",
  "İ",
  "..",
  "../",
  "%00",
  "%2e%2e%2f",
  "%ff",
  "%",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "true",
  "NaN",
  "Infinity",
  "-1",
  "-0",
  "0",
  "00",
  "1e3",
  "1e999",
  "1.5",
  "0x10",
  "0o17",
  "0b1",
  "1_000",
  "٣",
  "2147483648",
  "4294967296",
  "9007199254740993",
  "18446744073709551616",
  "999999999999999999999999999999",
];

/** Any text, the awkward one more often than it comes by chance. */
export function anyText(maxLength = 40, dictionary: readonly string[] = AWKWARD_TEXT): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ unit: "binary", maxLength }),
    fc.string({ unit: "grapheme-ascii", maxLength }),
    fc.array(fc.constantFrom(...dictionary), { maxLength: Math.ceil(maxLength / 4) }).map((parts) => parts.join("")),
  );
}

/** Valid text after some edits; none at all now and then. */
export function mutatedText(
  valid: fc.Arbitrary<string>,
  dictionary: readonly string[] = AWKWARD_TEXT,
): fc.Arbitrary<string> {
  const piece = fc.oneof(fc.constantFrom(...dictionary), fc.string({ unit: "binary", maxLength: 6 }));
  return fc.tuple(valid, edits(piece)).map(([text, list]) => list.reduce(editText, text));
}

/** Valid bytes after some edits. */
export function mutatedBytes(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const extremes = fc.constantFrom([0], [0xff], [0x80], [0x7f], [0, 0, 0, 0x80], [0xff, 0xff, 0xff, 0xff, 0x0f]);
  const piece = fc.oneof(extremes.map((bytes) => Uint8Array.from(bytes)), fc.uint8Array({ maxLength: 8 }));
  return fc.tuple(valid, edits(piece)).map(([bytes, list]) => list.reduce(editBytes, bytes));
}

/**
 * Now and then a large input: a short piece over and over, up to `maxLength` characters. What costs a parser more than
 * its length shows on these.
 */
export function bulkText(maxLength: number, pieces: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 3 }));
  const count = fc.integer({ min: 1, max: maxLength });
  return fc.tuple(fc.constantFrom("", ...pieces), piece, count, fc.constantFrom("", ...pieces))
    .map(([head, body, length, tail]) => head + body.repeat(Math.ceil(length / body.length)).slice(0, length) + tail);
}

/** The same of bytes. */
export function bulkBytes(maxLength: number, pieces: readonly (readonly number[])[]): fc.Arbitrary<Uint8Array> {
  const piece = fc.oneof(
    fc.constantFrom(...pieces).map((bytes) => Uint8Array.from(bytes)),
    fc.uint8Array({ minLength: 1, maxLength: 3 }),
  );
  return fc.tuple(piece, fc.integer({ min: 1, max: maxLength }))
    .map(([body, length]) => Uint8Array.from({ length }, (_, i) => body[i % body.length]!));
}

function edits<T>(piece: fc.Arbitrary<T>): fc.Arbitrary<Edit<T>[]> {
  const edit = fc.record({
    kind: fc.constantFrom(...KINDS),
    at: fc.nat(),
    length: fc.nat({ max: 12 }),
    times: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 4 }) }, {
      weight: 1,
      arbitrary: fc.nat({ max: 300 }),
    }),
    piece,
  });
  return fc.array(edit, { maxLength: MAX_EDITS });
}

function editText(text: string, edit: Edit<string>): string {
  return edited(text, edit, (parts) => parts.join(""));
}

function editBytes(bytes: Uint8Array, edit: Edit<Uint8Array>): Uint8Array {
  return edited(bytes, edit, concat);
}

function edited<T extends Sequence>(whole: T, edit: Edit<T>, join: (parts: T[]) => T): T {
  const at = edit.at % (whole.length + 1);
  const slice = (from: number, to: number) => whole.slice(from, to) as T;
  const [head, span, tail] = [slice(0, at), slice(at, at + edit.length), slice(at + edit.length, whole.length)];
  switch (edit.kind) {
    case "replace":
      return join([head, edit.piece, tail]);
    case "insert":
      return join([head, edit.piece, span, tail]);
    case "delete":
      return join([head, tail]);
    case "double":
      return join([head, span, span, tail]);
    case "repeat":
      return join([head, ...new Array<T>(edit.times).fill(edit.piece), span, tail]);
    case "cut":
      return head;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}
