/**
 * Stanzas by the paths that they speak of, templates rendered.
 *
 * @module
 */

import { comparePatterns, compilePattern, type PathPattern } from "./pattern.ts";
import type { Stanza } from "./policy.ts";

/** The stanzas of one policy, ready to be asked. */
export class StanzaSet {
  readonly #byPath = new Map<string, Stanza[]>();
  /** The one that counts first comes first. */
  readonly #patterns: PathPattern[] = [];

  /** @param stanzas Each with its path, in the order of the policy. */
  constructor(stanzas: Iterable<readonly [path: string, stanza: Stanza]>) {
    for (const [path, stanza] of stanzas) {
      if (this.#byPath.get(path)?.push(stanza)) continue;
      this.#byPath.set(path, [stanza]);
      const pattern = compilePattern(path);
      if (!pattern.isExact) this.#patterns.push(pattern);
    }
    this.#patterns.sort(comparePatterns);
  }

  /** Every path and pattern. */
  get paths(): Iterable<string> {
    return this.#byPath.keys();
  }

  /** The stanzas of exactly this path or pattern. */
  of(path: string): readonly Stanza[] {
    return this.#byPath.get(path) ?? NONE;
  }

  /** Of the patterns that match a path, the one that counts. */
  firstMatch(path: string): PathPattern | undefined {
    return this.#patterns.find((pattern) => pattern.matches(path));
  }
}

const NONE: readonly Stanza[] = [];
