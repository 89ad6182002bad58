import { ok } from "node:assert/strict";
import { leastPause, report } from "../_test_support.ts";
import { makeKeyPair } from "./algorithms.ts";

Deno.test("RSA keys are made beside the event loop", async () => {
  const pauseMs = await leastPause(40, () => Promise.all(Array.from({ length: 4 }, () => makeKeyPair("RS256"))));
  report(`longest pause of the event loop while 4 RSA keys are made: ${pauseMs.toFixed(1)} ms`);
  // On the event loop one of them takes 50 ms and more, and mostly several times that.
  ok(pauseMs < 40, `${pauseMs} ms`);
});
