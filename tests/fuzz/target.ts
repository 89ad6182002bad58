/**
 * What is fuzzed: a parser of outside bytes, how its inputs are made, and what must hold for each of them.
 *
 * The short form (`fuzz_test.ts`, a part of every test run) and the long one (`long.ts`, by hand) run the same targets.
 *
 * @module
 */

import type fc from "fast-check";

/** One parser under test. */
export interface FuzzTarget {
  /** Also the name of its folder in the corpus. */
  readonly name: string;
  readonly inputs: fc.Arbitrary<unknown>;
  /** How an input is kept as a file: bytes as they are, everything else as JSON. */
  readonly form: "bytes" | "json";
  /** Whether {@link check} returns a promise. */
  readonly isAsync: boolean;
  /** The longest that an input may take; absent: what `runner.ts` says. */
  readonly maxInputMs?: number;
  /** Throws where the parser broke its contract: an error of another kind, a wrong result, a secret that was quoted. */
  check(input: unknown): void | Promise<void>;
  /** Lets go of what checks keep from one to the next; the next would open it anew. */
  close?(): Promise<void>;
}

/** Describes a parser that answers at once. */
export function syncTarget<Input>(
  name: string,
  form: FuzzTarget["form"],
  inputs: fc.Arbitrary<Input>,
  check: (input: Input) => void,
  limits: Pick<FuzzTarget, "maxInputMs"> = {},
): FuzzTarget {
  return { name, form, inputs, isAsync: false, check: (input) => check(input as Input), ...limits };
}

/** Describes a parser that answers later. */
export function asyncTarget<Input>(
  name: string,
  form: FuzzTarget["form"],
  inputs: fc.Arbitrary<Input>,
  check: (input: Input) => Promise<void>,
  more: Pick<FuzzTarget, "close"> = {},
): FuzzTarget {
  return { name, form, inputs, isAsync: true, check: (input) => check(input as Input), ...more };
}
