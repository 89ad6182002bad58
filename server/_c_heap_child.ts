/**
 * Asks the C library for blocks before and after it was told, in a process of its own for `c_heap_test.ts`: what it is told holds for
 * all threads until the end.
 *
 * @module
 */

import { MemoryLogger } from "../tests/fakes/ports.ts";
import { keepLargeBlocksApart } from "./c_heap.ts";

const { malloc } = Deno.dlopen("libc.so.6", { malloc: { parameters: ["usize"], result: "pointer" } }).symbols;
const READ_BYTES = 65_536;
/** Of what stands before a block, its size: the second lowest bit says that it is mapped by itself. */
const SIZE_AT = -8;
const IS_MAPPED = 2n;

function isApart(bytes: number): boolean {
  const block = malloc(BigInt(bytes))!;
  return (new Deno.UnsafePointerView(block).getBigUint64(SIZE_AT) & IS_MAPPED) !== 0n;
}

/** More than what is free in the heap already has room for. */
const BLOCKS = 200;

/** How many of the last of many are mapped by themselves. */
function apart(bytes: number): number {
  return Array.from({ length: BLOCKS }, () => isApart(bytes)).slice(-BLOCKS / 2).filter((is) => is).length;
}

const logger = new MemoryLogger();
const before = apart(READ_BYTES);
keepLargeBlocksApart(logger);
const result = { before, after: apart(READ_BYTES), small: apart(16_384), events: logger.names() };
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
