import { deepEqual } from "node:assert/strict";
import { retryDelayMs } from "./retry_delay.ts";

Deno.test("retryDelayMs() doubles from a second to five minutes, and stays there", () => {
  deepEqual([1, 2, 3, 9, 10, 1000].map(retryDelayMs), [1000, 2000, 4000, 256_000, 300_000, 300_000]);
});
