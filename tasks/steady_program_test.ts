import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { steadyProgram } from "./steady_program.ts";

interface Drawn {
  readonly bundle: string;
  /** The worker whose text lies first, and the other. */
  readonly workers: readonly [string, string];
  /** The packages in the order in which they were embedded. */
  readonly packages: readonly string[];
  readonly time: number;
  /** How the bundle calls the cache of npm's packages. */
  readonly cache: string;
}

const ONE: Drawn = {
  bundle: "d914fbd4",
  workers: ["41b0c612", "d49739ca"],
  packages: ["aa", "b"],
  time: 1795892839147,
  cache: "../../home/one/.cache/deno/npm/",
};
const OTHER: Drawn = {
  bundle: "5ec90b38",
  workers: ["ee66ffae", "42fa4858"],
  packages: ["b", "aa"],
  time: 1795892847891,
  cache: "../deno/npm/",
};

/** Code with characters beyond ASCII, one of them beyond 16 bits. */
const SPOKEN = '/** RFC 9112 §2.2, 2^(𝑊−1) */ const spoken = ["µs", /^µs$/.test("µs"), `‖`, "𝑊"];';

function lengthOf(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return length;
}

/** A program as the compiler makes it: the bundle names its workers, and a file of a package is embedded twice. */
function program({ bundle, workers, packages, time, cache }: Drawn): Buffer {
  const parts: Buffer[] = [];
  let offset = 0;
  const embed = (text: string): [number, number] => {
    const bytes = Buffer.from(text);
    parts.push(bytes);
    offset += bytes.length;
    return [offset - bytes.length, bytes.length];
  };
  const file = (n: string, o: [number, number]) => ({ File: { n, o, u: true, t: time } });
  const libraries = packages.map((name) => [name, embed(`library ${name} ${"x".repeat(name.length * 100)}`)] as const);
  libraries.sort(([a], [b]) => a < b ? -1 : 1);
  const own = workers.map((name, index) => file(`.deno_compile_worker_${name}.mjs`, embed(`worker ${index}`)));
  own.sort((a, b) => a.File.n < b.File.n ? -1 : 1);
  const begun = workers.map((name) => `new Worker("./.deno_compile_worker_${name}.mjs")`).join(";");
  const text = `// ${cache}host/a@1/a.js\n${begun}\n${SPOKEN}`;
  const folder = (n: string) => ({ Dir: { n, e: libraries.map(([name, place]) => file(`${name}.node`, place)) } });
  const main = file(`.deno_compile_bundle_${bundle}.mjs`, embed(text));
  const list = Buffer.from(JSON.stringify([main, folder(".deno_compile_node_modules"), ...own, folder("dist")]));
  const data = Buffer.concat(parts);
  const head = Buffer.from(`{"entrypoint":".deno_compile_bundle_${bundle}.mjs"}`);
  const appended = Buffer.concat([head, lengthOf(list), list, lengthOf(data), data, Buffer.from("d3n0l4nd")]);
  const trailer = Buffer.from([0x1e, 0x50, 0, 0, 0xa7, 2, 0, 0]);
  return Buffer.concat([Buffer.from("\x7fELF"), appended, trailer, lengthOf(appended)]);
}

Deno.test("two compilations that drew other names, another order and another time become the same to the byte", () => {
  const [one, other] = [program(ONE), program(OTHER)];
  ok(!one.equals(other));
  const [first, second] = [steadyProgram(one, ONE.cache), steadyProgram(other, OTHER.cache)].map((bytes) =>
    Buffer.from(bytes).toString("latin1")
  );
  equal(first, second);
  ok(!/d914fbd4|41b0c612|d49739ca|17958|home/.test(first!));
});

Deno.test("every file is found where the list says, by the name that the others call it", () => {
  const made = Buffer.from(steadyProgram(program(OTHER), OTHER.cache));
  equal(Number(made.readBigUInt64LE(made.length - 8)), made.length - 4 - 16, "the trailer tells the length");
  const listAt = made.indexOf('[{"File"');
  const dataAt = listAt + Number(made.readBigUInt64LE(listAt - 8)) + 8;
  const text = made.toString("latin1", listAt, dataAt - 8);
  const read = (name: string) => {
    const [, at, length] = new RegExp(`"n":"${name}","o":\\[(\\d+),(\\d+)\\]`).exec(text)!;
    return made.toString("latin1", dataAt + Number(at), dataAt + Number(at) + Number(length));
  };
  ok(read("aa.node").startsWith("library aa "));
  ok(read("b.node").startsWith("library b "));
  const called = /new Worker\("\.\/(.+?)"\)/.exec(read(".deno_compile_bundle_00000002.mjs"))![1]!;
  equal(read(called), "worker 0");
  ok(read(".deno_compile_bundle_00000002.mjs").startsWith("// npm/host/a@1/a.js\n"));
});

Deno.test("the program's text is ASCII, for which the engine needs no copy of its own, and says what it said", () => {
  const made = Buffer.from(steadyProgram(program(ONE), ONE.cache)).toString("latin1");
  const text = made.slice(made.indexOf("/** RFC 9112"), made.lastIndexOf("d3n0l4nd"));
  ok(!/[^\0-\x7f]/.test(text), text);
  deepEqual(new Function(`${text.slice(0, text.indexOf("];") + 2)} return spoken;`)(), ["µs", true, "‖", "𝑊"]);
  const unclear = program(ONE);
  unclear.write("\\", unclear.indexOf("µs$/") - 1);
  throws(() => steadyProgram(unclear, ONE.cache), /backslash/);
});

Deno.test("a program of another form is left to people", () => {
  throws(() => steadyProgram(Buffer.from("\x7fELF"), ONE.cache), /does not end/);
  throws(() => steadyProgram(Buffer.concat([program(ONE), Buffer.from("x")]), ONE.cache), /does not end/);
  const withoutList = program({ ...ONE, bundle: "not hexadecimal" });
  withoutList.write("X", withoutList.indexOf('[{"File"'));
  throws(() => steadyProgram(withoutList, ONE.cache), /no list/);
});
