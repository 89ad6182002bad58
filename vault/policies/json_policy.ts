/**
 * Policies that are written as JSON, read into the same shape as HCL.
 *
 * @module
 */

import { HclBody, type HclItem, HclProblem, type HclValue } from "./hcl.ts";

const MAX_DEPTH = 16;

/**
 * Parses a JSON object; lists of objects are the objects one after the other, as HCL 1 has it.
 *
 * @throws {HclProblem}
 */
export function jsonToHcl(text: string): HclBody {
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HclProblem("expected an object", 1, 1);
  }
  return bodyOf(value as Record<string, unknown>, 0);
}

function parse(text: string): unknown {
  if (deepest(text) > MAX_DEPTH) throw new HclProblem("nested too deep", 1, 1);
  try {
    return JSON.parse(text);
  } catch {
    throw new HclProblem("the text is not valid JSON", 1, 1);
  }
}

/** Brackets inside strings count too: a policy has no use for so many. */
function deepest(text: string): number {
  let depth = 0;
  let most = 0;
  for (const char of text) {
    if (char === "{" || char === "[") most = Math.max(most, ++depth);
    else if (char === "}" || char === "]") depth--;
  }
  return most;
}

function bodyOf(object: Record<string, unknown>, depth: number): HclBody {
  const items = Object.entries(object).flatMap(([key, value]): HclItem[] => {
    const values = key === "path" && depth === 0 && Array.isArray(value) ? value : [value];
    return values.map((one) => ({ keys: [key], value: valueOf(one, depth + 1), line: 1 }));
  });
  return new HclBody(items);
}

function valueOf(value: unknown, depth: number): HclValue {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map((one) => valueOf(one, depth + 1));
  if (typeof value === "object" && value !== null) return bodyOf(value as Record<string, unknown>, depth);
  throw new HclProblem("null has no meaning in a policy", 1, 1);
}
