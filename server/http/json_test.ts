import { deepEqual, throws } from "node:assert/strict";
import { LosslessNumber, parseJson } from "./json.ts";

Deno.test("parseJson() keeps numbers that a double doesn't hold, and only those, as they were written", () => {
  const parsed = parseJson('{"big":12345678901234567890,"third":1.0,"small":7}') as Map<string, unknown>;
  deepEqual(parsed.get("big"), new LosslessNumber("12345678901234567890"));
  deepEqual(parsed.get("third"), new LosslessNumber("1.0"));
  deepEqual(parsed.get("small"), 7);
});

Deno.test("parseJson() takes __proto__ for a key like any other, and the last of two equal keys", () => {
  const parsed = parseJson('{"__proto__":{"admin":true},"a":1,"a":2}') as Map<string, unknown>;
  deepEqual([...parsed.keys()], ["__proto__", "a"]);
  deepEqual(parsed.get("a"), 2);
  deepEqual(({} as Record<string, unknown>)["admin"], undefined);
});

Deno.test("parseJson() refuses what is not JSON, too deep, or too much, without echoing it", () => {
  throws(() => parseJson('{"password":"hunter2",}'), (error: Error) => !error.message.includes("hunter2"));
  throws(() => parseJson("[".repeat(100_000) + "]".repeat(100_000)), /complexity/);
  throws(() => parseJson(`[${"1,".repeat(30_000)}1]`), /complexity/);
  throws(() => parseJson('{"a":1} trailing'), /not valid JSON/);
});
