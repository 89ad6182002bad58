import { equal } from "node:assert/strict";
import { HeadWatch } from "./head_watch.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** What the watch says after all of it, byte by byte and in one piece. */
function heard(text: string): string {
  const whole = new HeadWatch().hear(bytes(text));
  const watch = new HeadWatch();
  let last = "incomplete";
  for (const byte of bytes(text)) if (last === "incomplete") last = watch.hear(Uint8Array.of(byte));
  equal(last, whole, JSON.stringify(text));
  return whole;
}

Deno.test("HeadWatch finds the empty line, however lines end", () => {
  for (
    const text of ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", "GET / HTTP/1.0\n\n", "GET / HTTP/1.0\r\n\n", "a\r\r\n\r\n"]
  ) {
    equal(heard(text), "complete", JSON.stringify(text));
    equal(heard(`${text}body`), "complete");
  }
});

Deno.test("HeadWatch waits for what is missing", () => {
  for (
    const text of ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: a\r\n", "GET / HTTP/1.1\r\n \r\n", "PRI"]
  ) {
    equal(heard(text), "incomplete", JSON.stringify(text));
  }
});

Deno.test("HeadWatch does not take empty lines before the request line for the end of a head", () => {
  equal(heard("\r\n\r\n\n\n"), "incomplete");
  equal(heard("\r\n\r\nGET / HTTP/1.1\r\n\r\n"), "complete");
});

Deno.test("HeadWatch says of a head that can be read in two ways that it is ambiguous", () => {
  const chunked = "Transfer-Encoding: chunked\r\n", length = "content-length: 4\r\n";
  for (
    const fields of [
      chunked + length,
      length + chunked,
      `${length}x: y\r\nTRANSFER-ENCODING:chunked \r\n`,
      chunked + chunked,
      "transfer-encoding: identity, chunked\r\n",
      "transfer-encoding: gzip\r\n",
      `transfer-encoding: ${" ".repeat(60)}chunked\r\n`,
      "host: a\r\nhost: b\r\n",
    ]
  ) equal(heard(`POST / HTTP/1.1\r\n${fields}\r\n`), "ambiguous", JSON.stringify(fields));
  for (
    const fields of [
      chunked,
      "transfer-encoding:\tChunked\r\n",
      length + length,
      `${length}host: a\r\n`,
      `te: trailers\r\ncookie: ${chunked}hosts: c\r\n`,
      `x: ${length}${chunked}`,
    ]
  ) equal(heard(`POST / HTTP/1.1\r\n${fields}\r\n`), "complete", JSON.stringify(fields));
  equal(heard(`${chunked}${length}\r\n`), "complete", "the first line is no field");
});

Deno.test("HeadWatch refuses HTTP/2", () => {
  equal(heard("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "refused");
  equal(heard("PRINT / HTTP/1.1\r\n\r\n"), "complete");
});
