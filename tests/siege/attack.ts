/**
 * What an attack on a started server is, and what it is told.
 *
 * @module
 */

/** How the siege is laid. */
export interface Siege {
  /** The long form, by hand; the short one is a part of every change's checks. */
  readonly isLong: boolean;
  /** The server under attack, as its processes are started: from source, or the compiled binary. */
  readonly program: "source" | "binary";
  /** Whether the gRPC port and the identity API speak TLS; attacks that concern neither are run without alone. */
  readonly isTls: boolean;
  /** How often the server is killed; absent: as the form says. */
  readonly kills: number | undefined;
  /** From 0 to 1, the same for the same seed. */
  readonly random: () => number;
  /** Says how far a long attack is. */
  readonly onProgress: (line: string) => void;
}

/** One attack. It is bounded in time and requests, and touches nothing but loopback and folders of its own. */
export interface Attack {
  readonly name: string;
  /** Whether it is run over TLS too, where the runtime can; `long`: in the long form alone. */
  readonly hasTls: boolean | "long";
  /** Whether the short form leaves it out, as the tests that run beside it do the same. */
  readonly isLongOnly?: boolean;
  /** Resolves with what was done and how the server stood it; throws where it did not. */
  readonly run: (siege: Siege) => Promise<string>;
}

/** Throws unless `holds`; what it says goes into the report. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** A whole number with its thousands apart. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
