import { deepEqual, equal, match } from "node:assert/strict";
import { MemoryDisk, MemoryStore } from "../tests/fakes/memory_store.ts";
import { FakeClock, MemoryLogger } from "../tests/fakes/ports.ts";
import { ClockGuard } from "./clock_guard.ts";
import { DAY_MS } from "./dates.ts";
import { VaultState } from "./state.ts";
import { Writer } from "./writer.ts";

const NOW = Date.UTC(2026, 2, 20, 10);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const YEAR_MS = 365 * DAY_MS;

/** A guard on a disk that outlives it. */
class Guarded {
  readonly disk = new MemoryDisk();
  readonly clock = new FakeClock(NOW);
  readonly logger = new MemoryLogger();
  state!: VaultState;
  guard!: ClockGuard;

  async start(): Promise<void> {
    const store = new MemoryStore(this.disk);
    this.state = await VaultState.load(store);
    const writer = new Writer(store, this.state);
    this.guard = new ClockGuard({ clock: this.clock, logger: this.logger, state: this.state, writer });
  }

  /** Lets both clocks run, looking every 15 seconds. */
  run(ms: number): void {
    for (let left = ms; left > 0; left -= 15_000) {
      this.clock.advance(Math.min(left, 15_000));
      this.guard.mayCommitExpiry();
    }
  }
}

async function started(): Promise<Guarded> {
  const guarded = new Guarded();
  await guarded.start();
  return guarded;
}

Deno.test("a clock that steps by seconds or within the hour is believed, however often it is read", async () => {
  for (const step of [1000, -1000, HOUR_MS, -HOUR_MS, -YEAR_MS]) {
    const { clock, guard } = await started();
    clock.wall += step;
    equal(guard.mayCommitExpiry(), true, `${step}`);
    deepEqual(guard.status(), { state: "trusted", reason: null });
  }
});

Deno.test("a clock that runs on for a year with small corrections is believed", async () => {
  const { clock, guard } = await started();
  for (let hour = 0; hour < 365 * 24; hour++) {
    clock.advance(HOUR_MS);
    clock.wall += 2000;
    if (!guard.mayCommitExpiry()) throw new Error(`doubted after ${hour} hours`);
  }
});

Deno.test("a clock that outruns the monotonic one by more than an hour is doubted until ten minutes of agreement", async () => {
  for (const step of [HOUR_MS + 1000, YEAR_MS]) {
    const guarded = await started();
    guarded.clock.wall += step;
    equal(guarded.guard.mayCommitExpiry(), false);
    match(guarded.guard.status().reason ?? "", /went forward by \d+ minutes/);
    guarded.run(10 * MINUTE_MS - 1000);
    equal(guarded.guard.mayCommitExpiry(), false);
    guarded.run(1000);
    equal(guarded.guard.mayCommitExpiry(), true);
    deepEqual(guarded.logger.names(), ["clock_doubted", "clock_trusted"]);
  }
});

Deno.test("steps of less than an hour that add up are doubted, and a clock that goes on stepping agrees with nothing", async () => {
  const guarded = await started();
  guarded.clock.wall += 40 * MINUTE_MS;
  equal(guarded.guard.mayCommitExpiry(), true);
  guarded.clock.wall += 40 * MINUTE_MS;
  equal(guarded.guard.mayCommitExpiry(), false);
  for (let i = 0; i < 5; i++) {
    guarded.run(9 * MINUTE_MS);
    guarded.clock.wall += MINUTE_MS;
    equal(guarded.guard.mayCommitExpiry(), false, `step ${i}`);
  }
});

Deno.test("a clock that is put back is believed at once, and doubted when it steps again", async () => {
  const { clock, guard } = await started();
  clock.wall += YEAR_MS;
  equal(guard.mayCommitExpiry(), false);
  clock.wall -= YEAR_MS;
  equal(guard.mayCommitExpiry(), true);
  clock.wall -= YEAR_MS;
  equal(guard.mayCommitExpiry(), true);
  clock.wall += YEAR_MS;
  equal(guard.mayCommitExpiry(), false, "it was a year behind, and nobody knows which was right");
});

Deno.test("a start more than thirty days beyond the last stored moment is doubted; an operator's word ends that", async () => {
  const guarded = await started();
  await guarded.guard.tick();
  guarded.clock.wall += 30 * DAY_MS;
  await guarded.start();
  equal(guarded.guard.mayCommitExpiry(), true);
  guarded.clock.wall += 1000;
  await guarded.start();
  equal(guarded.guard.mayCommitExpiry(), false);
  match(guarded.guard.status().reason ?? "", /away for 30 days/);
  await guarded.guard.tick();
  await guarded.start();
  equal(guarded.guard.mayCommitExpiry(), false, "what is doubted isn't written down");
  deepEqual(await guarded.guard.accept(), { state: "trusted", reason: null });
  await guarded.start();
  equal(guarded.guard.mayCommitExpiry(), true, "the word outlives the process");
});

Deno.test("a start in the future is believed once the clock is put right, and watched from there", async () => {
  const guarded = await started();
  await guarded.guard.tick();
  guarded.clock.wall += YEAR_MS;
  await guarded.start();
  equal(guarded.guard.mayCommitExpiry(), false);
  guarded.clock.wall -= YEAR_MS;
  equal(guarded.guard.mayCommitExpiry(), true);
  guarded.clock.wall += 2 * HOUR_MS;
  equal(guarded.guard.mayCommitExpiry(), false);
});

Deno.test("the stored moment never goes back", async () => {
  const guarded = await started();
  await guarded.guard.tick();
  guarded.clock.wall -= YEAR_MS;
  await guarded.guard.tick();
  equal(guarded.state.meta.get("clock_tick"), NOW);
});
