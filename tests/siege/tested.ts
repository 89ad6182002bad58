/**
 * Attacks that are tests already: they start servers of the program under siege, so they are laid as they are.
 *
 * @module
 */

import { type Attack, must } from "./attack.ts";

const LONG_ROUNDS = 2;

/** Runs a test file, as often as the form says. The short form leaves it to the tests, of which it is a part. */
function tested(name: string, what: string, file: string): Attack {
  return {
    name,
    hasTls: false,
    isLongOnly: true,
    run: async ({ isLong, onProgress }) => {
      const rounds = isLong ? LONG_ROUNDS : 1;
      let passed = 0;
      for (let round = 1; round <= rounds; round++) {
        passed += await passesOf(file);
        if (isLong) onProgress(`round ${round} of ${rounds}`);
      }
      return `${what}: ${passed} tests held in ${rounds} ${rounds === 1 ? "round" : "rounds"}`;
    },
  };
}

async function passesOf(file: string): Promise<number> {
  const path = new URL(file, import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-check", "--quiet", "-A", path],
    env: { NO_COLOR: "1", RUNEVAULT_TEST_ALL: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  must(success, said.slice(said.indexOf("ERRORS")));
  return Number(/(\d+) passed/.exec(said)?.[1] ?? 0);
}

/** 200 callers at once on issue, rotate, revoke, a window's last place, and everything together. */
export const races: Attack = tested("races", "200 callers at once on one thing", "../races/races_test.ts");

/** The clock goes forward and back by a second, an hour, a year, at start and while running. */
export const clocks: Attack = tested("clocks", "a wall clock that jumps by libfaketime", "../wire/clock_test.ts");

/** A disk that fills while running, at the file size and at the file system, and one that is full from the start. */
export const fillingDisks: Attack = tested(
  "filling disks",
  "a disk that fills and is freed",
  "../wire/full_disk_test.ts",
);
