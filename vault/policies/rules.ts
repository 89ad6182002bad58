/**
 * What several policies together say of paths, for one caller.
 *
 * @module
 */

import type { HclValue } from "./hcl.ts";
import { comparePatterns, compilePattern, type PathPattern } from "./pattern.ts";
import { CAPABILITIES, type ParameterRules, parsePolicy, type Policy, type Stanza } from "./policy.ts";
import { StanzaSet } from "./stanza_set.ts";
import { remembering, renderTemplate, type TemplateSubject } from "./template.ts";

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

/** More than anybody has; a caller who has is denied everything, for asking them all would keep others waiting. */
const MAX_STANZAS = 10_000;
/** Of those, how many may have templates: they are rendered for each caller. */
const MAX_TEMPLATED = 2000;

/** The stanzas of one of the caller's policies. */
interface Source {
  readonly policy: string;
  readonly stanzas: StanzaSet;
}

/**
 * Every rule of a caller. A policy's stanzas are compiled once, for all who have it, but for those with templates; the
 * stanzas of a pattern are merged when a request needs it.
 */
export class Rules {
  readonly #sources: Source[] = [];
  readonly #merged = new Map<string, Rule>();
  #all: readonly Rule[] | undefined;
  readonly dropped: readonly DroppedStanza[];

  constructor(policies: readonly (readonly [name: string, policy: Policy])[], subject: TemplateSubject) {
    const dropped: DroppedStanza[] = [];
    this.dropped = dropped;
    const tooMany = refusalOfSize(policies.map(([, policy]) => policy));
    if (tooMany !== undefined) {
      dropped.push({ policy: "", path: "*", line: 0, reason: tooMany });
      this.#sources.push({ policy: "", stanzas: DENY_ALL });
      return;
    }
    const values = remembering(subject);
    for (const [policy, { fixed, templated }] of policies) {
      this.#sources.push({ policy, stanzas: fixed });
      if (templated.length === 0) continue;
      const rendered: [string, Stanza][] = [];
      for (const stanza of templated) {
        const path = renderTemplate(stanza.parts, values);
        if (typeof path === "string") rendered.push([path, stanza]);
        else dropped.push({ policy, path: stanza.path, line: stanza.line, reason: path.dropped });
      }
      this.#sources.push({ policy, stanzas: new StanzaSet(rendered) });
    }
  }

  /** All rules. */
  all(): readonly Rule[] {
    if (this.#all !== undefined) return this.#all;
    const paths = new Set(this.#sources.flatMap(({ stanzas }) => [...stanzas.paths]));
    return this.#all = [...paths].map((path) => this.#rule(path)!);
  }

  /** The one rule that counts for a path; a list's path ends in a slash, and its rule may be written without. */
  find(path: string, isList: boolean): Rule | undefined {
    if (!isList) return this.#exact(path) ?? this.#firstMatch(path);
    const bare = path.endsWith("/") ? path.slice(0, -1) : path;
    const slashed = `${bare}/`;
    const both = [this.#exact(slashed), this.#exact(bare)].filter((rule) => rule !== undefined);
    // A denial holds however the path of a list is written.
    return both.find(isDenial) ?? both[0] ?? this.#firstMatchOfList(slashed, bare);
  }

  #firstMatchOfList(slashed: string, bare: string): Rule | undefined {
    const [one, other] = [this.#firstMatch(slashed), this.#firstMatch(bare)];
    return other !== undefined && isDenial(other) ? other : one ?? other;
  }

  /** A path that looks like a pattern is no request for the rule of that pattern. */
  #exact(path: string): Rule | undefined {
    const rule = this.#rule(path);
    return rule?.pattern.isExact ? rule : undefined;
  }

  #firstMatch(path: string): Rule | undefined {
    let first: PathPattern | undefined;
    for (const { stanzas } of this.#sources) {
      const found = stanzas.firstMatch(path);
      if (found !== undefined && (first === undefined || comparePatterns(found, first) < 0)) first = found;
    }
    return first === undefined ? undefined : this.#rule(first.text);
  }

  /** What all policies say of a path or pattern, merged. */
  #rule(path: string): Rule | undefined {
    const known = this.#merged.get(path);
    if (known !== undefined) return known;
    const said: Said[] = [];
    for (const { policy, stanzas } of this.#sources) {
      for (const stanza of stanzas.of(path)) {
        said.push({ stanza, origin: { policy, path: stanza.path, line: stanza.line } });
      }
    }
    if (said.length === 0) return undefined;
    const rule = ruleOf(path, said);
    this.#merged.set(path, rule);
    return rule;
  }
}

/** Why so many stanzas apply to nobody; undefined for as many as may be. */
function refusalOfSize(policies: readonly Policy[]): string | undefined {
  const all = policies.reduce((sum, { stanzas }) => sum + stanzas.length, 0);
  if (all > MAX_STANZAS) return `policies of more than ${MAX_STANZAS} paths in all`;
  const templated = policies.reduce((sum, policy) => sum + policy.templated.length, 0);
  return templated > MAX_TEMPLATED ? `policies of more than ${MAX_TEMPLATED} templated paths in all` : undefined;
}

const DENY_ALL = new StanzaSet(parsePolicy(`path "*" { capabilities = ["deny"] }`).stanzas.map((one) => ["*", one]));

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
