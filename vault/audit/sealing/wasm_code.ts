/**
 * Writes WebAssembly: the few instructions that SHA-256 needs, and a module around them
 * (WebAssembly Core Specification 2.0, §5, binary format).
 *
 * @module
 */

const I32 = 0x7f;
const V128 = 0x7b;
/** Of instructions on vectors. */
const VECTOR = 0xfd;

/** An unsigned number of any length, LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...unsigned(value >>> 7)];
}

/** A signed number of 32 bits, LEB128. */
function signed(value: number): number[] {
  const rest = value >> 7;
  const isLast = rest === 0 && (value & 0x40) === 0 || rest === -1 && (value & 0x40) !== 0;
  return isLast ? [value & 0x7f] : [value & 0x7f | 0x80, ...signed(rest)];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function sized(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

/** The code of one function, whose parameters are numbers of 32 bits and which returns nothing. Local 0 is the first
 * parameter; there are 127 at most. */
export class WasmFunction {
  readonly #code: number[] = [];
  readonly #parameters: number;
  readonly #numbers: number;
  readonly #vectors: number;

  /**
   * @param numbers How many locals of 32 bits come after the parameters.
   * @param vectors How many of 128 bits come after those.
   */
  constructor(parameters: number, numbers: number = 0, vectors: number = 0) {
    this.#parameters = parameters;
    this.#numbers = numbers;
    this.#vectors = vectors;
  }

  /** Its type, as the module has it. */
  get type(): number[] {
    return [0x60, ...vector(Array.from({ length: this.#parameters }, () => [I32])), 0];
  }

  /** Its locals and its code, as the module has them. */
  get body(): number[] {
    const locals = vector([[...unsigned(this.#numbers), I32], [...unsigned(this.#vectors), V128]]);
    return sized([...locals, ...this.#code, 0x0b]);
  }

  get(local: number): this {
    return this.#add(0x20, local);
  }

  set(local: number): this {
    return this.#add(0x21, local);
  }

  /** As {@link set}; the value stays on the stack. */
  tee(local: number): this {
    return this.#add(0x22, local);
  }

  number(value: number): this {
    return this.#add(0x41, ...signed(value | 0));
  }

  add(): this {
    return this.#add(0x6a);
  }

  subtract(): this {
    return this.#add(0x6b);
  }

  and(): this {
    return this.#add(0x71);
  }

  or(): this {
    return this.#add(0x72);
  }

  xor(): this {
    return this.#add(0x73);
  }

  /** Whether two numbers are not the same. */
  differ(): this {
    return this.#add(0x47);
  }

  rotateRight(bits: number): this {
    return this.number(bits).#add(0x78);
  }

  /** Reads at an address on the stack. */
  load(offset: number): this {
    return this.#add(0x28, 2, ...unsigned(offset));
  }

  /** Writes a value on the stack to an address below it. */
  store(offset: number): this {
    return this.#add(0x36, 2, ...unsigned(offset));
  }

  /** Repeats what `body` writes for as long as it leaves something other than 0. */
  repeat(body: () => void): this {
    this.#add(0x03, 0x40);
    body();
    return this.#add(0x0d, 0, 0x0b);
  }

  loadVector(offset: number): this {
    return this.#add(VECTOR, 0, 0, ...unsigned(offset));
  }

  storeVector(offset: number): this {
    return this.#add(VECTOR, 11, 0, ...unsigned(offset));
  }

  /** A vector of 16 bytes. */
  vector(bytes: readonly number[]): this {
    return this.#add(VECTOR, 12, ...bytes);
  }

  /** Picks bytes of two vectors: 0 to 15 of the lower, 16 to 31 of the upper. */
  shuffle(picked: readonly number[]): this {
    return this.#add(VECTOR, 13, ...picked);
  }

  /** Replaces each byte of the upper vector by the byte of that number in the lower. */
  swizzle(): this {
    return this.#add(VECTOR, 14);
  }

  /** One of a vector's four numbers. */
  lane(index: number): this {
    return this.#add(VECTOR, 27, index);
  }

  addVector(): this {
    return this.#add(VECTOR, 0xae, 1);
  }

  xorVector(): this {
    return this.#add(VECTOR, 0x51);
  }

  /** Shifts each of a vector's four numbers. */
  shiftNumbersLeft(bits: number): this {
    return this.number(bits).#add(VECTOR, 0xab, 1);
  }

  shiftNumbersRight(bits: number): this {
    return this.number(bits).#add(VECTOR, 0xad, 1);
  }

  andVector(): this {
    return this.#add(VECTOR, 0x4e);
  }

  /** Shifts each byte of a vector. */
  shiftBytesRight(bits: number): this {
    return this.number(bits).#add(VECTOR, 0x6d);
  }

  #add(...bytes: number[]): this {
    this.#code.push(...bytes);
    return this;
  }
}

/** A module with a memory and functions, all of which it exports under their names. */
export function wasmModule(pages: number, functions: Readonly<Record<string, WasmFunction>>): Uint8Array<ArrayBuffer> {
  const all = Object.entries(functions);
  const section = (id: number, items: readonly (readonly number[])[]) => [id, ...sized(vector(items))];
  const name = (text: string) => sized([...new TextEncoder().encode(text)]);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, all.map(([, { type }]) => type)),
    ...section(3, all.map((_, i) => unsigned(i))),
    ...section(5, [[0, ...unsigned(pages)]]),
    ...section(7, [[...name("memory"), 2, 0], ...all.map(([text], i) => [...name(text), 0, ...unsigned(i)])]),
    ...section(10, all.map(([, { body }]) => body)),
  ]);
}
