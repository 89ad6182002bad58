/**
 * What several policies together say of paths, for one caller.
 *
 * @module
 */

import { comparePatterns, compilePattern, type PathPattern } from "./pattern.ts";
import { CAPABILITIES, type ParameterRules, type Policy, type Stanza } from "./policy.ts";
import { renderTemplate, type TemplateSubject } from "./template.ts";

/** Where a rule comes from. */
export interface Origin {
  readonly policy: string;
  readonly path: string;
  readonly line: number;
}

/** A stanza that doesn't apply, and why. */
export interface DroppedStanza extends Origin {
  readonly reason: string;
}

/** The stanzas of one pattern, merged. */
export interface Rule {
  readonly pattern: PathPattern;
  readonly capabilities: number;
  readonly allowed: ParameterRules | null;
  readonly denied: ParameterRules | null;
  readonly required: readonly string[];
  readonly minWrappingTtl: number | null;
  readonly maxWrappingTtl: number | null;
  readonly origins: readonly Origin[];
}

/** Every rule of a caller. */
export class Rules {
  readonly #exact = new Map<string, Rule>();
  readonly #patterns: Rule[] = [];
  readonly dropped: readonly DroppedStanza[];

  constructor(policies: readonly (readonly [name: string, policy: Policy])[], subject: TemplateSubject) {
    const dropped: DroppedStanza[] = [];
    const byPattern = new Map<string, Rule>();
    for (const [name, policy] of policies) {
      for (const stanza of policy.stanzas) {
        const origin = { policy: name, path: stanza.path, line: stanza.line };
        const path = renderTemplate(stanza.parts, subject);
        if (typeof path === "string") byPattern.set(path, merged(byPattern.get(path), path, stanza, origin));
        else dropped.push({ ...origin, reason: path.dropped });
      }
    }
    for (const [path, rule] of byPattern) {
      if (rule.pattern.isExact) this.#exact.set(path, rule);
      else this.#patterns.push(rule);
    }
    this.#patterns.sort((a, b) => comparePatterns(a.pattern.text, b.pattern.text));
    this.dropped = dropped;
  }

  /** All rules. */
  all(): Rule[] {
    return [...this.#exact.values(), ...this.#patterns];
  }

  /** The one rule that counts for a path; a list's path ends in a slash, and its rule may be written without. */
  find(path: string, isList: boolean): Rule | undefined {
    if (!isList) return this.#exact.get(path) ?? this.#firstMatch(path);
    const bare = path.endsWith("/") ? path.slice(0, -1) : path;
    const slashed = `${bare}/`;
    const both = [this.#exact.get(slashed), this.#exact.get(bare)].filter((rule) => rule !== undefined);
    // A denial holds however the path of a list is written.
    return both.find(isDenial) ?? both[0] ?? this.#firstMatchOfList(slashed, bare);
  }

  #firstMatchOfList(slashed: string, bare: string): Rule | undefined {
    const [one, other] = [this.#firstMatch(slashed), this.#firstMatch(bare)];
    return other !== undefined && isDenial(other) ? other : one ?? other;
  }

  #firstMatch(path: string): Rule | undefined {
    return this.#patterns.find((rule) => rule.pattern.matches(path));
  }
}

function isDenial({ capabilities }: Rule): boolean {
  return (capabilities & CAPABILITIES.deny) !== 0;
}

function merged(before: Rule | undefined, path: string, stanza: Stanza, origin: Origin): Rule {
  if (before === undefined) {
    const { capabilities, allowed, denied, required, minWrappingTtl, maxWrappingTtl } = stanza;
    const pattern = compilePattern(path);
    return { pattern, capabilities, allowed, denied, required, minWrappingTtl, maxWrappingTtl, origins: [origin] };
  }
  const capabilities = before.capabilities | stanza.capabilities;
  return {
    pattern: before.pattern,
    capabilities: capabilities & CAPABILITIES.deny ? CAPABILITIES.deny : capabilities,
    allowed: united(before.allowed, stanza.allowed),
    denied: united(before.denied, stanza.denied),
    required: [...new Set([...before.required, ...stanza.required])],
    minWrappingTtl: greater(before.minWrappingTtl, stanza.minWrappingTtl),
    maxWrappingTtl: lesser(before.maxWrappingTtl, stanza.maxWrappingTtl),
    origins: [...before.origins, origin],
  };
}

/** A stanza without the block doesn't lift what another restricts; no values are all values. */
function united(a: ParameterRules | null, b: ParameterRules | null): ParameterRules | null {
  if (a === null || b === null) return a ?? b;
  const all = new Map(a);
  for (const [key, values] of b) {
    const known = all.get(key);
    if (known === undefined) all.set(key, values);
    else all.set(key, known.length === 0 || values.length === 0 ? [] : [...known, ...values]);
  }
  return all;
}

function greater(a: number | null, b: number | null): number | null {
  return a === null || b === null ? a ?? b : Math.max(a, b);
}

function lesser(a: number | null, b: number | null): number | null {
  return a === null || b === null ? a ?? b : Math.min(a, b);
}
