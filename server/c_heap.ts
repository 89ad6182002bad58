/**
 * Tells the allocator of the C library, of which the runtime has all memory that isn't JavaScript's, to keep large blocks apart.
 *
 * The runtime takes 64 KiB for each read of a socket, before 2.8 for each socket that waits for one. glibc cuts
 * blocks of that size from the one heap in which small ones lie as well, and wipes what it hands out again. So a thousand idle
 * sockets hold 64 MiB that nobody has written to; and what stays for good, such as what the runtime keeps of each HTTP/2
 * session, comes to lie in what was wiped, between holes that no other block fits into. Blocks that are mapped
 * one by one take no memory until something is written to them, and give back all of it when they are freed
 * (`docs/decisions/0045_large_blocks_apart.md`).
 *
 * @module
 */

import type { Logger } from "../vault/ports.ts";

/** The buffer of one read, and the least that is mapped by itself. */
const READ_BYTES = 65_536;
/** Half of what Linux lets a process map (`vm.max_map_count`), so that V8 never goes without. */
const MOST_MAPPED = 32_768;

/** The parameters of `mallopt(3)`, by their numbers in `malloc.h`, and what each becomes. */
const SETTINGS: readonly (readonly [parameter: number, value: number])[] = [
  [-3, READ_BYTES], // M_MMAP_THRESHOLD
  [-4, MOST_MAPPED], // M_MMAP_MAX
  // A block is mapped only where the end of the heap has no room for it: so little is kept there.
  [-1, READ_BYTES], // M_TRIM_THRESHOLD
  [-2, READ_BYTES / 2], // M_TOP_PAD
];

/**
 * Whether a runtime holds the buffer of a read for every socket that waits for one, as those before 2.8 do. Later ones take it for
 * the read alone: to map and unmap it each time costs a request two fifths more, and there is little to win.
 */
export function keepsBuffersOfIdleSockets(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < 2 || major === 2 && minor < 8;
}

/**
 * From here on, blocks of 64 KiB and more are kept apart; for every thread, and where the C library is glibc. Needs the permission
 * `ffi`. That loads nothing: the runtime is linked to the library, and it is found by the name under which it is there.
 */
export function keepLargeBlocksApart(logger: Logger): void {
  if (!Deno.build.target.endsWith("-linux-gnu")) return;
  try {
    const library = Deno.dlopen("libc.so.6", { mallopt: { parameters: ["i32", "i32"], result: "i32" } });
    const refused = SETTINGS.filter(([parameter, value]) => library.symbols.mallopt(parameter, value) !== 1);
    library.close();
    if (refused.length > 0) throw new Error(`mallopt refuses ${refused.map(([parameter]) => parameter)}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    logger.log("warn", "large_blocks_not_apart", { reason, hint: "the program works, and takes more memory" });
  }
}
