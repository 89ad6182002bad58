/**
 * What several policies together say of paths, for one caller.
 *
 * @module
 */

import type { HclValue } from "./hcl.ts";
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
    const byPath = new Map<string, Said[]>();
    for (const [name, policy] of policies) {
      for (const stanza of policy.stanzas) {
        const origin = { policy: name, path: stanza.path, line: stanza.line };
        const path = renderTemplate(stanza.parts, subject);
        if (typeof path !== "string") dropped.push({ ...origin, reason: path.dropped });
        else if (!byPath.get(path)?.push({ stanza, origin })) byPath.set(path, [{ stanza, origin }]);
      }
    }
    for (const [path, said] of byPath) {
      const rule = ruleOf(path, said);
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

/** One stanza of a path, and where it stands. */
interface Said {
  readonly stanza: Stanza;
  readonly origin: Origin;
}

/** Merges the stanzas of a path in one go: there may be thousands. */
function ruleOf(path: string, said: readonly Said[]): Rule {
  const stanzas = said.map(({ stanza }) => stanza);
  const capabilities = stanzas.reduce((all, stanza) => all | stanza.capabilities, 0);
  return {
    pattern: compilePattern(path),
    capabilities: capabilities & CAPABILITIES.deny ? CAPABILITIES.deny : capabilities,
    allowed: united(stanzas.map((stanza) => stanza.allowed)),
    denied: united(stanzas.map((stanza) => stanza.denied)),
    required: [...new Set(stanzas.flatMap((stanza) => stanza.required))],
    minWrappingTtl: stanzas.map((stanza) => stanza.minWrappingTtl).reduce(greater),
    maxWrappingTtl: stanzas.map((stanza) => stanza.maxWrappingTtl).reduce(lesser),
    origins: said.map(({ origin }) => origin),
  };
}

/** A stanza without the block doesn't lift what another restricts; no values are all values. */
function united(blocks: readonly (ParameterRules | null)[]): ParameterRules | null {
  const said = blocks.filter((block) => block !== null);
  if (said.length < 2) return said[0] ?? null;
  const all = new Map<string, HclValue[]>();
  const unrestricted = new Set<string>();
  for (const [key, values] of said.flatMap((block) => [...block])) {
    if (!all.get(key)?.push(...values)) all.set(key, [...values]);
    if (values.length === 0) unrestricted.add(key);
  }
  for (const key of unrestricted) all.set(key, []);
  return all;
}

function greater(a: number | null, b: number | null): number | null {
  return a === null || b === null ? a ?? b : Math.max(a, b);
}

function lesser(a: number | null, b: number | null): number | null {
  return a === null || b === null ? a ?? b : Math.min(a, b);
}
