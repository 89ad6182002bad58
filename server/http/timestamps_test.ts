import { equal } from "node:assert/strict";
import { rfc3339 } from "./timestamps.ts";

Deno.test("rfc3339() drops the zeros at the end of the fraction, and no others", () => {
  equal(rfc3339(0), "1970-01-01T00:00:00Z");
  equal(rfc3339(600_000), "1970-01-01T00:10:00Z");
  equal(rfc3339(100), "1970-01-01T00:00:00.1Z");
  equal(rfc3339(1230), "1970-01-01T00:00:01.23Z");
  equal(rfc3339(1234), "1970-01-01T00:00:01.234Z");
});
