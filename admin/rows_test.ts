import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { VaultError } from "../vault/errors.ts";
import { streamRows } from "./rows.ts";

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}

function* numbers(count: number, onRow: (n: number) => void = () => {}) {
  for (let n = 0; n < count; n++) {
    onRow(n);
    yield n;
  }
}

Deno.test("streamRows() writes one JSON object whatever the number of rows", async () => {
  for (const count of [0, 1, 999, 1000, 1001, 2500]) {
    const body = JSON.parse(await textOf(streamRows("rows", numbers(count), (n) => ({ n })))) as {
      rows: { n: number }[];
    };
    deepEqual(Object.keys(body), ["rows"]);
    equal(body.rows.length, count);
    equal(body.rows.at(-1)?.n, count === 0 ? undefined : count - 1);
  }
});

Deno.test("streamRows() takes 1,000 rows at most before other work gets its turn", async () => {
  let taken = 0;
  let turns = 0;
  const takenAtTurns: number[] = [];
  const timer = setInterval(() => {
    turns++;
    takenAtTurns.push(taken);
  }, 0);
  await textOf(streamRows("rows", numbers(20_000, () => taken++), (n) => n));
  clearInterval(timer);
  ok(turns >= 10, `${turns} turns`);
  const steps = takenAtTurns.map((count, i) => count - (takenAtTurns[i - 1] ?? 0));
  // A timer may miss a turn when the machine is busy; without turns it would see all 20,000 at once.
  ok(Math.max(...steps) <= 5000, steps.join());
});

Deno.test("streamRows() takes no rows beyond the first slice until the reader asks", async () => {
  let taken = 0;
  const stream = streamRows("rows", numbers(10_000, () => taken++), (n) => n);
  await new Promise((resolve) => setTimeout(resolve, 20));
  ok(taken <= 1000, `${taken}`);
  await stream.cancel();
});

Deno.test("streamRows() throws what stops it before the first row, so that it can be answered", () => {
  const refusing = numbers(1, () => {
    throw new VaultError("not_found", "No user");
  });
  throws(() => streamRows("rows", refusing, (n) => n), { kind: "not_found" });
});

Deno.test("streamRows() breaks the answer off when a later row fails: half a list never looks whole", async () => {
  const failing = numbers(5000, (n) => {
    if (n === 4000) throw new Error("gone");
  });
  await rejects(textOf(streamRows("rows", failing, (n) => n)), /gone/);
});
