import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { refused, vectorText } from "./_test_support.ts";
import { inspectKeySet, readSecretKeyFile } from "./key_files.ts";
import { generateKeySetInThread, inspectKeySetInThread } from "./key_tasks.ts";

Deno.test("generateKeySetInThread() makes a fresh set each time, reports, and leaves the event loop free", async () => {
  const request = { dimension: 384, keyId: "k", now: Date.UTC(2026, 0, 1) };
  const steps: number[] = [];
  let turns = 0;
  const turning = setInterval(() => turns++, 5);
  const one = await generateKeySetInThread(request, { onProgress: (done, total) => steps.push(done / total) });
  clearInterval(turning);
  ok(turns >= 3, `the event loop turned ${turns} times`);
  deepEqual(steps, Array.from({ length: 34 }, (_, i) => (i + 1) / 34));
  equal(inspectKeySet(one).createdAt, request.now);
  const two = await generateKeySetInThread(request);
  const [first, second] = [one, two].map((files) => readSecretKeyFile(files.secKeyJson).secretKey.coefficients());
  ok(first!.some((value, i) => value !== second![i]));
});

Deno.test("inspectKeySetInThread() answers as inspectKeySet() does, and hands on its refusal", async () => {
  const files = { secKeyJson: vectorText("SecKey.json"), encKeyJson: vectorText("EncKey.json") };
  deepEqual(await inspectKeySetInThread(files), inspectKeySet(files));
  const swapped = { secKeyJson: files.secKeyJson, encKeyJson: files.secKeyJson };
  await rejects(inspectKeySetInThread(swapped), refused("invalid_argument", /EncKey\.json/));
});

Deno.test("key tasks refuse bad requests at once, and end when they are cancelled", async () => {
  const request = { dimension: 4096, keyId: "k", now: 0 };
  await rejects(generateKeySetInThread({ ...request, dimension: 5000 }), refused("invalid_argument"));
  await rejects(generateKeySetInThread({ ...request, keyId: ".." }), refused("invalid_argument"));
  await rejects(generateKeySetInThread(request, { signal: AbortSignal.abort() }), refused("cancelled"));
  const stop = new AbortController();
  const cancelled = generateKeySetInThread(request, { signal: stop.signal, onProgress: () => stop.abort() });
  await rejects(cancelled, refused("cancelled"));
});

Deno.test("a key task whose thread crashes fails with internal", async () => {
  const workerUrl = new URL("../../tests/fakes/pretended_score_worker.ts", import.meta.url).href;
  await rejects(generateKeySetInThread({ dimension: 384, keyId: "k", now: 0 }, { workerUrl }), refused("internal"));
});
