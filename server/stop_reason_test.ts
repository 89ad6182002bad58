import { equal, rejects } from "node:assert/strict";
import { StopReason } from "./stop_reason.ts";

Deno.test("StopReason: what goes wrong before anybody waits ends nothing, and is told to whoever waits then", async () => {
  const reason = new StopReason();
  reason.fail(new Error("the store died"));
  reason.ask(0);
  // A rejection that nobody has heard by the next turn of the event loop ends the process.
  await new Promise((resolve) => setTimeout(resolve, 0));
  await rejects(reason.wait(), { message: "the store died" });
});

Deno.test("StopReason: a stop that was asked for is one, whatever goes wrong afterwards", async () => {
  const reason = new StopReason();
  reason.ask(0);
  reason.fail(new Error("the relay died"));
  equal(await reason.wait(), 0);
});
