import { deepEqual, equal } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { vectorKey, vectorText } from "./_test_support.ts";
import { type Failure, fromFailure, type FromWorker, toFailure } from "./worker_messages.ts";
import { WorkerTasks } from "./worker_tasks.ts";
import { VaultError } from "../errors.ts";

function openTask(stopped: 0 | 1) {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  stop[0] = stopped;
  return { kind: "open", blobBase64: vectorText("ip300.b64"), topK: 2, stop } as const;
}

function failureOf(message: FromWorker | undefined): Failure | undefined {
  return message?.kind === "failed" ? message.failure : undefined;
}

Deno.test("WorkerTasks opens with the keys it was last given, and looks at the stop of its task", () => {
  const sent: FromWorker[] = [];
  const tasks = new WorkerTasks(seededRandom("unused"), (message) => sent.push(message));
  tasks.receive(openTask(0));
  equal(failureOf(sent.pop())?.kind, "internal");
  tasks.receive({ kind: "keys", keys: [{ ...vectorKey(), dimension: 4096 }] });
  tasks.receive({ kind: "keys", keys: [vectorKey()] });
  equal(sent.length, 0);
  tasks.receive(openTask(0));
  const answer = sent.pop();
  deepEqual(answer?.kind === "done" ? (answer.value as { rowIndex: number }[]).map((row) => row.rowIndex) : answer, [
    212,
    160,
  ]);
  tasks.receive(openTask(1));
  equal(failureOf(sent.pop())?.kind, "cancelled");
});

Deno.test("failures keep kind, message, data and hint between threads; unforeseen errors keep only a cause", () => {
  const error = new VaultError("rate_limited", "Later", { data: { retryAfterSeconds: 3 }, hint: "Wait" });
  const copy = fromFailure(structuredClone(toFailure(error)));
  deepEqual([copy.kind, copy.message, copy.data, copy.hint], [error.kind, error.message, error.data, error.hint]);
  const unforeseen = fromFailure(structuredClone(toFailure(new RangeError("inner detail"))));
  equal(unforeseen.kind, "internal");
  equal(unforeseen.message.includes("inner detail"), false);
  equal(String(unforeseen.cause).includes("inner detail"), true);
});
