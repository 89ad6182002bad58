/**
 * Rules about the parameters of a request.
 *
 * @module
 */

import { quoteName } from "../names.ts";
import type { HclValue } from "./hcl.ts";
import type { Rule } from "./rules.ts";

/** The parameters of a request by name; nested values are arrays and Maps. */
export type Parameters = ReadonlyMap<string, unknown>;

/** A parameter with its name in small letters, as rules compare it. */
type Sent = readonly [key: string, value: unknown];

/** Why the parameters of a request aren't allowed; undefined: they are. */
export function refusalOf({ allowed, denied, required }: Rule, parameters: Parameters): string | undefined {
  if (allowed === null && denied === null && required.length === 0) return undefined;
  // A list, for no spelling of a name may hide another one from the rules.
  const sent = [...parameters].map(([key, value]): Sent => [key.toLowerCase(), value]);
  const missing = required.find((name) => !sent.some(([key]) => key === name));
  if (missing !== undefined) return `the required parameter ${quoteName(missing)} is missing`;
  if (sent.length === 0) return undefined;
  return denied === null ? notAllowed(allowed, sent) : isDenied(denied, sent) ?? notAllowed(allowed, sent);
}

function isDenied(denied: NonNullable<Rule["denied"]>, sent: readonly Sent[]): string | undefined {
  if (denied.has("*")) return "all parameters are denied";
  for (const [key, value] of sent) {
    const values = denied.get(key);
    if (values === undefined) continue;
    if (values.length === 0 || values.some((one) => matchesValue(one, value))) {
      return `the parameter ${quoteName(key)} is denied`;
    }
  }
  return undefined;
}

function notAllowed(allowed: Rule["allowed"], sent: readonly Sent[]): string | undefined {
  if (allowed === null || allowed.size === 0) return undefined;
  const takesAny = allowed.has("*");
  if (takesAny && allowed.size === 1) return undefined;
  for (const [key, value] of sent) {
    const values = allowed.get(key);
    if (values === undefined && takesAny) continue;
    if (values === undefined) return `the parameter ${quoteName(key)} is not among those allowed`;
    if (values.length > 0 && !values.some((one) => matchesValue(one, value))) {
      return `the value of the parameter ${quoteName(key)} is not among those allowed`;
    }
  }
  return undefined;
}

/** Text may have a `*` at either end; lists are compared one by one. */
function matchesValue(rule: HclValue, value: unknown): boolean {
  if (typeof rule === "string") return matchesText(rule, textOf(value));
  if (typeof rule === "boolean") return rule === value || textOf(value) === String(rule);
  if (Array.isArray(rule)) {
    return Array.isArray(value) && rule.length === value.length &&
      rule.every((one: HclValue, i) => matchesValue(one, value[i]));
  }
  // A number in a rule never matches, as it never did upstream; nor do objects.
  return false;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  // A number that keeps its literal text.
  if (typeof value === "object" && value !== null && "text" in value) return String(value.text);
  return undefined;
}

function matchesText(rule: string, value: string | undefined): boolean {
  if (value === undefined) return false;
  const [start, end] = [rule.startsWith("*"), rule.endsWith("*") && rule.length > 1];
  const bare = rule.slice(start ? 1 : 0, end ? -1 : undefined);
  if (start && end) return value.includes(bare);
  if (start) return value.endsWith(bare);
  return end ? value.startsWith(bare) : value === rule;
}
