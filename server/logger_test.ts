import { equal } from "node:assert/strict";
import { LineLogger, type LogFormat } from "./logger.ts";

async function written(format: LogFormat, level: "info" | "warn" | "error"): Promise<string> {
  let text = "";
  const sink = {
    write: (bytes: Uint8Array) => Promise.resolve((text += new TextDecoder().decode(bytes), bytes.length)),
  };
  const clock = { now: () => 0, monotonic: () => 0 };
  const logger = new LineLogger(sink, clock, format, "info");
  logger.log(level, "event", { name: "a\nb", count: 3 });
  await logger.flush();
  return text;
}

Deno.test("journald gets the priority before the line and adds the time itself; a line stays one line", async () => {
  equal(await written("journal", "info"), '<6>event name="a\\nb" count=3\n');
  equal(await written("journal", "warn"), '<4>event name="a\\nb" count=3\n');
  equal(await written("journal", "error"), '<3>event name="a\\nb" count=3\n');
});

Deno.test("text is for people, JSON for programs", async () => {
  equal(await written("text", "warn"), '1970-01-01T00:00:00.000Z warn  event name="a\\nb" count=3\n');
  const json = '{"time":"1970-01-01T00:00:00.000Z","level":"info","event":"event","name":"a\\nb","count":3}\n';
  equal(await written("json", "info"), json);
});
