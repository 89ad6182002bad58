import { deepEqual, equal, throws } from "node:assert/strict";
import { VaultError } from "../../vault/errors.ts";
import * as f from "./fields.ts";
import { parseJson } from "./json.ts";

const FIELDS = {
  flag: f.bool(""),
  count: f.int(""),
  name: f.text(""),
  policies: f.commaList(""),
  statements: f.list(""),
  ttl: f.duration(""),
  meta: f.textMap(""),
  metadata: f.jsonMap(""),
  config: f.object(""),
};

function coerce(json: string) {
  return f.coerceFields(FIELDS, parseJson(json) as Map<string, unknown>, "Field validation failed: ");
}

Deno.test("what the CLI sends as text and what libraries send typed come to the same", () => {
  const typed = '{"flag":true,"count":5,"name":"7","policies":["a","b"],"ttl":3600,"meta":{"k":"v"}}';
  const text = '{"flag":"1","count":"5","name":7,"policies":"a, b,","ttl":"1h","meta":"k=v"}';
  deepEqual(coerce(text), coerce(typed));
});

Deno.test("null is an absent field, whatever its type; a field that isn't declared isn't there", () => {
  const nulls = Object.fromEntries(Object.keys(FIELDS).map((name) => [name, null]));
  deepEqual(coerce(JSON.stringify({ ...nulls, other: 1 })), {});
});

Deno.test("empty text is false, 0 seconds, no list and no map", () => {
  deepEqual(coerce('{"flag":"","ttl":"","policies":"","meta":"","statements":""}'), {
    flag: false,
    ttl: 0,
    policies: [],
    meta: {},
    statements: [""],
  });
});

Deno.test("numbers in maps keep their literal text; nested values are for JSON maps alone", () => {
  deepEqual(coerce('{"meta":{"n":12345678901234567890,"t":true,"x":null}}').meta, {
    n: "12345678901234567890",
    t: "1",
    x: "",
  });
  deepEqual(coerce('{"metadata":{"list":[1,{"a":null}],"n":12345678901234567890}}').metadata, {
    list: [1, { a: null }],
    n: "12345678901234567890",
  });
  deepEqual(coerce('{"config":{"default_lease_ttl":"1h"}}').config, { default_lease_ttl: "1h" });
  deepEqual(coerce('{"meta":["a=1","b=x=y"]}').meta, { a: "1", b: "x=y" });
});

Deno.test("what can't be coerced is refused by name and never echoed", () => {
  const bad: [string, string][] = [
    ["flag", '"yes"'],
    ["flag", "2"],
    ["count", "3.0"],
    ["count", '"3.5"'],
    ["name", '{"a":"hunter2"}'],
    ["policies", '[["hunter2"]]'],
    ["ttl", "-5"],
    ["ttl", "1.9"],
    ["ttl", "true"],
    ["ttl", '"hunter2"'],
    ["meta", '{"a":["hunter2"]}'],
    ["meta", '"hunter2"'],
    ["config", '"hunter2"'],
  ];
  for (const [name, value] of bad) {
    throws(() => coerce(`{"${name}":${value}}`), (error: unknown) => {
      equal((error as VaultError).kind, "invalid_argument");
      equal((error as Error).message.includes(`field "${name}"`), true);
      return !(error as Error).message.includes("hunter2");
    }, `${name} = ${value}`);
  }
});
