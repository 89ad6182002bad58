import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import { MemoryLogger } from "../tests/fakes/ports.ts";
import { HttpPort, RelayThread } from "./mod.ts";
import { answerPlaces, awaitPlaces, memoryForPlaces } from "./more_places.ts";

function open(thread: RelayThread): Promise<HttpPort> {
  return HttpPort.open({ hostname: "127.0.0.1", port: 0 }, {
    name: "test",
    logger: new MemoryLogger(),
    handler: () => new Response("here"),
    onError: () => new Response(null, { status: 500 }),
    thread,
  });
}

function workerOf(script: string): Worker {
  return new Worker(`data:text/javascript,${encodeURIComponent(script)}`, { type: "module" });
}

Deno.test("RelayThread relays for several ports, each with an end of its own", async () => {
  const thread = new RelayThread({ onDeath: () => {} });
  const [first, second] = [await open(thread), await open(thread)];
  const ask = async ({ port }: HttpPort) => await (await fetch(`http://127.0.0.1:${port}/`)).text();
  deepEqual([await ask(first), await ask(second)], ["here", "here"]);
  await first.shutdown(500);
  await rejects(ask(first));
  equal(await ask(second), "here");
  await second.shutdown(500);
  await thread.close();
});

Deno.test("RelayThread says that it died, opens nothing any more, and keeps nobody waiting for its end", async () => {
  const death = Promise.withResolvers<string>();
  const script = `onmessage = () => {
    postMessage(["opened", 1, "127.0.0.1", 1]);
    setTimeout(() => { throw new Error("on purpose"); }, 50);
  };`;
  const thread = new RelayThread({ onDeath: death.resolve, makeWorker: () => workerOf(script) });
  const port = await open(thread);
  match(await death.promise, /on purpose/);
  await rejects(open(thread), /died: .*on purpose/);
  await port.shutdown(10_000);
  await thread.close();
});

Deno.test("RelayThread has no right but to the network and to its folder of sockets", async () => {
  const folder = await Deno.makeTempDir();
  let worker: Worker | undefined;
  const asked = ["env", "ffi", "run", "sys", "read", "write", "net"];
  const makeWorker = (permissions: Deno.PermissionOptionsObject) => {
    const script = `Promise.all(${JSON.stringify(asked)}.map((name) => Deno.permissions.query({ name })))
      .then((found) => postMessage(found.map(({ state }) => state)));`;
    const url = `data:text/javascript,${encodeURIComponent(script)}`;
    return worker = new Worker(url, { type: "module", deno: { permissions } });
  };
  const thread = new RelayThread({ folder, onDeath: () => {}, makeWorker });
  const states = await new Promise((resolve) => worker!.onmessage = ({ data }) => resolve(data));
  deepEqual(states, ["prompt", "prompt", "prompt", "prompt", "prompt", "prompt", "granted"]);
  await thread.close();
  await Deno.remove(folder);
});

Deno.test("awaitPlaces() takes the answer that comes while it waits", () => {
  const memory = memoryForPlaces();
  equal(awaitPlaces(memory, () => answerPlaces(memory, () => 7)), 7);
  equal(awaitPlaces(memory, () => answerPlaces(memory, () => -5)), -5);
});

Deno.test("answerPlaces() counts nothing for a question that was given up, nor takes its answer for that of the next", () => {
  const memory = memoryForPlaces();
  let counted = 0;
  const count = () => ++counted;
  equal(awaitPlaces(memory, () => {}, 1), 0);
  answerPlaces(memory, count);
  equal(counted, 0);
  equal(awaitPlaces(memory, () => {}, 1), 0);
});

Deno.test("answerPlaces() lets nobody wait for a count that fails", () => {
  const memory = memoryForPlaces();
  const fail = () => {
    throw new Error("no count");
  };
  equal(awaitPlaces(memory, () => throws(() => answerPlaces(memory, fail), /no count/)), 0);
});
