import { equal, rejects } from "node:assert/strict";
import { soon } from "../tests/soon.ts";
import { readBodyBytes } from "./body_bytes.ts";

const BOUNDS = {
  maxBytes: 10,
  timeoutMs: 60_000,
  tooLarge: () => new Error("too large"),
  late: () => new Error("late"),
};

/** A request whose body says `first` and then nothing more; giving it up fails, as it does when the caller has gone. */
function resting(first: string): { request: Request; isGivenUp: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(first)),
    cancel: () => {
      resolve();
      throw new Error("it can't be given up");
    },
  });
  return { request: new Request("http://localhost/", { method: "POST", body }), isGivenUp: promise };
}

Deno.test("readBodyBytes() gives up a body that is late, and that this fails is nobody's failure", async () => {
  const { request, isGivenUp } = resting("12345");
  await rejects(soon(readBodyBytes(request, { ...BOUNDS, timeoutMs: 10 })), { message: "late" });
  await soon(isGivenUp);
});

Deno.test("readBodyBytes() gives up a body that is too large, and one that is refused for what others hold", async () => {
  const large = resting("12345678901");
  await rejects(soon(readBodyBytes(large.request, BOUNDS)), { message: "too large" });
  await soon(large.isGivenUp);
  const held = resting("12345");
  const hold = (count: number) => {
    equal(count, 5);
    throw new Error("too many at once");
  };
  await rejects(soon(readBodyBytes(held.request, { ...BOUNDS, hold })), { message: "too many at once" });
  await soon(held.isGivenUp);
});
