import { equal, rejects } from "node:assert/strict";
import { BodyReader } from "./body.ts";

/** A request whose body comes in the given pieces. */
function sent(...pieces: (string | Uint8Array | Promise<string>)[]): Request {
  const stream = ReadableStream.from((async function* () {
    for (const piece of pieces) {
      const now = await piece;
      yield typeof now === "string" ? new TextEncoder().encode(now) : now;
    }
  })());
  return new Request("http://vault.test/", { method: "POST", body: stream });
}

const status = (wanted: number) => (error: unknown) => (error as { status?: number }).status === wanted;

Deno.test("BodyReader joins what comes in pieces, a character across two of them too", async () => {
  const euro = new TextEncoder().encode("€");
  equal(await new BodyReader().read(sent("a", euro.slice(0, 1), euro.slice(1), "b")), "a€b");
});

Deno.test("BodyReader refuses more than a mebibyte, and bytes that are no UTF-8", async () => {
  const bodies = new BodyReader();
  await rejects(bodies.read(sent("x".repeat(600_000), "x".repeat(600_000))), status(413));
  await rejects(bodies.read(sent(Uint8Array.of(0xff))), status(400));
});

Deno.test("BodyReader bounds what all bodies on their way hold together, and gives it back", async () => {
  const bodies = new BodyReader(1000);
  const rest = Promise.withResolvers<string>();
  const slow = bodies.read(sent("x".repeat(900), rest.promise));
  await new Promise((resolve) => setTimeout(resolve, 10));
  await rejects(bodies.read(sent("y".repeat(200))), status(503));
  rest.resolve("z");
  equal((await slow).length, 901);
  equal((await bodies.read(sent("y".repeat(200)))).length, 200);
});

Deno.test("BodyReader takes a body that is broken off for a caller who left, and no failure of the vault's", async () => {
  const broken = sent("x", Promise.reject(new Error("connection reset")));
  await rejects(new BodyReader().read(broken), (error: unknown) => (error as { kind?: string }).kind === "cancelled");
});
