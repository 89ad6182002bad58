/**
 * SHA-256 (FIPS 180-4, §6.2) as WebAssembly: sixteen rounds at a time written out, four words of the schedule in one vector. The runtime's own takes half a microsecond for
 * making its object, and leaves that behind for the garbage collector; the lines of a trail are short.
 *
 * @module
 */

import { WasmFunction, wasmModule } from "./wasm_code.ts";

/** What the module exports. Addresses are those of its memory. */
export interface Sha256Code {
  readonly memory: WebAssembly.Memory;
  /** Hashes `blocks` blocks of 64 bytes from `from`, one at least, and writes the 32 bytes to `to`. */
  hash(from: number, blocks: number, to: number): void;
  /** Writes 32 bytes as 64 characters, hex. */
  hex(from: number, to: number): void;
}

const BLOCK_BYTES = 64;
/** The bytes of four numbers of 32 bits, each in the other order. */
const SWAPPED = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

/** The first 32 bits of the fraction of a root. */
function fraction(root: number): number {
  return Math.floor(root % 1 * 2 ** 32);
}

function isPrime(value: number): boolean {
  for (let by = 2; by * by <= value; by++) if (value % by === 0) return false;
  return true;
}

const PRIMES = Array.from({ length: 310 }, (_, i) => i + 2).filter(isPrime);
/** One for each of 64 rounds. */
const CONSTANTS = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const INITIAL = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

/** Where the memory has the constants. */
const CONSTANTS_AT = 0;
/** The first address that is free. */
export const FREE_FROM = 256;

/** Locals of `hash`. */
const FROM = 0;
const BLOCKS = 1;
const TO = 2;
const WORKING = 3;
const BEFORE = WORKING + 8;
const SUM = BEFORE + 8;
const CONSTANT = SUM + 1;
const SCHEDULE = CONSTANT + 1;
const VECTOR = SCHEDULE + 4;

function hash(): WasmFunction {
  const code = new WasmFunction(WORKING, SCHEDULE - WORKING, 5);
  for (let i = 0; i < 8; i++) code.number(INITIAL[i]!).set(WORKING + i);
  code.repeat(() => {
    for (let i = 0; i < 4; i++) swapBytes(code, FROM, 16 * i).set(SCHEDULE + i);
    for (let i = 0; i < 8; i++) code.get(WORKING + i).set(BEFORE + i);
    writeRounds(code);
    for (let i = 0; i < 8; i++) code.get(WORKING + i).get(BEFORE + i).add().set(WORKING + i);
    code.get(FROM).number(BLOCK_BYTES).add().set(FROM);
    code.get(BLOCKS).number(1).subtract().tee(BLOCKS);
  });
  for (let i = 0; i < 8; i++) code.get(TO).get(WORKING + i).store(4 * i);
  for (const half of [0, 16]) swapBytes(code, TO, half).set(VECTOR).get(TO).get(VECTOR).storeVector(half);
  return code;
}

/** Four words of the memory, each with its bytes the other way round. */
function swapBytes(code: WasmFunction, address: number, offset: number): WasmFunction {
  return code.get(address).loadVector(offset).tee(VECTOR).get(VECTOR).shuffle(SWAPPED);
}

/** All rounds of a block: three times sixteen, with the words of sixteen later rounds made beside, and the last. */
function writeRounds(code: WasmFunction): void {
  code.number(CONSTANTS_AT).set(CONSTANT);
  code.repeat(() => {
    for (let quarter = 0; quarter < 4; quarter++) {
      writeFourRounds(code, quarter);
      extendSchedule(code, quarter);
    }
    code.get(CONSTANT).number(BLOCK_BYTES).add().tee(CONSTANT).number(CONSTANTS_AT + 3 * BLOCK_BYTES).differ();
  });
  for (let quarter = 0; quarter < 4; quarter++) writeFourRounds(code, quarter);
}

function writeFourRounds(code: WasmFunction, quarter: number): void {
  code.get(CONSTANT).loadVector(16 * quarter).get(SCHEDULE + quarter).addVector().set(VECTOR);
  for (let i = 0; i < 4; i++) writeRound(code.get(VECTOR).lane(i), 4 * quarter + i);
}

/** One round, with its constant and its word on the stack; in place of the eight words their names move on. */
function writeRound(code: WasmFunction, round: number): void {
  const [a, b, c, d, e, f, g, h] = Array.from({ length: 8 }, (_, i) => WORKING + (i + 16 - round) % 8) as Eight;
  code.get(h).add();
  rotations(code, e, [6, 11, 25]).add();
  code.get(f).get(g).xor().get(e).and().get(g).xor().add().tee(SUM);
  code.get(d).add().set(d);
  rotations(code.get(SUM), a, [2, 13, 22]).add();
  code.get(a).get(b).and().get(a).get(b).or().get(c).and().or().add().set(h);
}

type Eight = [number, number, number, number, number, number, number, number];

/** So many bytes of two vectors, one after the other. */
const bytesFrom = (first: number, count = 16) => Array.from({ length: count }, (_, i) => first + i);
const ZEROS = Array<number>(16).fill(0);

/** The four words sixteen rounds later, in place of those of now; two of them need the other two. */
function extendSchedule(code: WasmFunction, quarter: number): void {
  const [now, second, third, fourth] = [0, 1, 2, 3].map((i) => SCHEDULE + (quarter + i) % 4) as Four;
  code.get(now).get(second).shuffle(bytesFrom(4)).set(VECTOR);
  smallRotations(code, [7, 18, 3]).get(now).addVector();
  code.get(third).get(fourth).shuffle(bytesFrom(4)).addVector();
  code.get(fourth).vector(ZEROS).shuffle(bytesFrom(8)).set(VECTOR);
  smallRotations(code, [17, 19, 10]).addVector().set(now);
  code.get(now).vector(ZEROS).shuffle([...bytesFrom(16, 8), ...bytesFrom(0, 8)]).set(VECTOR);
  smallRotations(code, [17, 19, 10]).get(now).addVector().set(now);
}

type Four = [number, number, number, number];
type Three = readonly [number, number, number];

/** Σ of FIPS 180-4, §4.1.2. */
function rotations(code: WasmFunction, word: number, [one, two, three]: Three): WasmFunction {
  code.get(word).rotateRight(one).get(word).rotateRight(two).xor();
  return code.get(word).rotateRight(three).xor();
}

/** σ of FIPS 180-4, §4.1.2, of four words at once. */
function smallRotations(code: WasmFunction, [one, two, shift]: Three): WasmFunction {
  code.get(VECTOR).shiftNumbersRight(one).get(VECTOR).shiftNumbersLeft(32 - one).xorVector();
  code.get(VECTOR).shiftNumbersRight(two).xorVector().get(VECTOR).shiftNumbersLeft(32 - two).xorVector();
  return code.get(VECTOR).shiftNumbersRight(shift).xorVector();
}

function hex(): WasmFunction {
  const [from, to, bytes, high, low] = [0, 1, 2, 3, 4] as const;
  const code = new WasmFunction(2, 0, 3);
  const digits = [...new TextEncoder().encode("0123456789abcdef")];
  for (const half of [0, 16]) {
    code.get(from).loadVector(half).set(bytes);
    code.vector(digits).get(bytes).shiftBytesRight(4).swizzle().set(high);
    code.vector(digits).get(bytes).vector(Array(16).fill(0x0f)).andVector().swizzle().set(low);
    for (const quarter of [0, 8]) {
      const pairs = Array.from({ length: 8 }, (_, i) => [quarter + i, quarter + i + 16]).flat();
      code.get(to).get(high).get(low).shuffle(pairs).storeVector(2 * (half + quarter));
    }
  }
  return code;
}

/** Of 64 KiB each: the longest line, and what is beside it. */
const PAGES = 18;
let compiled: WebAssembly.Module | undefined;

/** An instance with a memory of its own. */
export function sha256Code(): Sha256Code {
  compiled ??= new WebAssembly.Module(wasmModule(PAGES, { hash: hash(), hex: hex() }));
  const code = new WebAssembly.Instance(compiled).exports as unknown as Sha256Code;
  new Uint32Array(code.memory.buffer).set(CONSTANTS, CONSTANTS_AT / 4);
  return code;
}
