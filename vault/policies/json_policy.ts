/**
 * Policies that are written as JSON, read into the same shape as HCL.
 *
 * @module
 */

import { HclBody, HclProblem, type HclValue, parseHclObject } from "./hcl.ts";

/**
 * Parses a JSON object; lists of objects under `path` are the objects one after the other, as HCL 1 has it. The text is
 * read by the rules of HCL, of which JSON's are a part: the runtime's own parser knows no lines and hides keys that stand
 * twice.
 *
 * @throws {HclProblem}
 */
export function jsonToHcl(text: string): HclBody {
  const isJson = isValidJson(text);
  const body = read(text, isJson);
  if (!isJson) throw new HclProblem(NOT_JSON, 1, 1);
  const items = body.items.flatMap(({ keys, value, line }) => {
    const isList = keys[0] === "path" && Array.isArray(value);
    return (isList ? value as readonly HclValue[] : [value]).map((one) => ({ keys, value: one, line }));
  });
  return new HclBody(items);
}

const NOT_JSON = "the text is not valid JSON";

function isValidJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function read(text: string, isJson: boolean): HclBody {
  try {
    return parseHclObject(text);
  } catch (error) {
    if (isJson || !(error instanceof HclProblem)) throw error;
    throw new HclProblem(`${NOT_JSON}: ${error.reason}`, error.line, error.column);
  }
}
