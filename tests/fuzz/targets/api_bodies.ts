/**
 * JSON bodies of the identity API, coerced to every type of field.
 *
 * @module
 */

import fc from "fast-check";
import * as fields from "../../../server/http/fields.ts";
import { parseJson } from "../../../server/http/json.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must, parseOrRefuse, PLANTED } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

const FIELDS = {
  flag: fields.bool(""),
  count: fields.int(""),
  name: fields.text(""),
  password: fields.text(""),
  policies: fields.commaList(""),
  statements: fields.list(""),
  ttl: fields.duration(""),
  meta: fields.textMap(""),
  metadata: fields.jsonMap(""),
  config: fields.object(""),
  claims: fields.anything(""),
};

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  anyText(20),
  fc.constantFrom<unknown>("1h30m", "90s", "-5", "7d", "a=b", ["a=b", "c"], PLANTED.teamSecret, {
    a: [PLANTED.apiKey],
  }),
);
const body = fc.dictionary(fc.constantFrom(...Object.keys(FIELDS), "__proto__", "other"), value).map((object) =>
  JSON.stringify(object)
);
const text = fc.oneof(
  {
    weight: 100,
    arbitrary: mutatedText(body, [...AWKWARD_TEXT, '"ttl":', '"metadata":{', "12345678901234567890", ":", ","]),
  },
  { weight: 20, arbitrary: anyText() },
  { weight: 1, arbitrary: bulkText(200_000, ["[", "{", '{"a":', '"', "\\", "1,", '"",', "\\u0000", "{},"]) },
);

/** Bodies. */
export const target: FuzzTarget = syncTarget("api_bodies", "json", text, check);

function check(text: string): void {
  const parsed = parseOrRefuse(["invalid_argument"], () => parseJson(text));
  if (parsed === undefined) return;
  must(isJson(text), "it is no JSON and was taken");
  if (!(parsed instanceof Map)) return;
  must(Object.getPrototypeOf({}) === Object.prototype && !("polluted" in {}), "a body changed what objects are");
  for (const [name, given] of parsed) {
    const one = new Map<string, unknown>([[name as string, given]]);
    const values = parseOrRefuse(["invalid_argument"], () => fields.coerceFields(FIELDS, one, ""));
    if (values === undefined) continue;
    const isSent = given !== null && Object.hasOwn(FIELDS, name as string);
    must(Object.hasOwn(values, name as string) === isSent, `${name} was ${isSent ? "lost" : "made up"}`);
    must(JSON.stringify(values) !== undefined, "it can't be written again");
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
