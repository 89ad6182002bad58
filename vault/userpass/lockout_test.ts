/**
 * Counting failures and locking names (S13), on a clock that the tests move.
 */

import { deepEqual, equal, rejects } from "node:assert/strict";
import { FakeClock } from "../../tests/fakes/ports.ts";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { NOW, refused } from "../_test_support.ts";
import type { LockoutConfig, MountRecord } from "../storage/identity_records.ts";
import { type Attempt, Lockout } from "./lockout.ts";

const LOCKED = refused("permission_denied", /^permission denied$/);

/** A lockout and who tries what. */
class Door {
  readonly clock = new FakeClock(NOW, 1000);
  readonly lockout = new Lockout(this.clock, seededRandom("lockout"));
  performed = 0;

  constructor(readonly config: LockoutConfig = {}) {}

  attempt(username: string, more: Partial<Attempt> = {}): Attempt {
    const mount = { accessor: "auth_userpass_1", lockout: this.config } as MountRecord;
    return { mount, username, exists: true, knownAddress: undefined, ...more };
  }

  try(username: string, succeeds: boolean, more: Partial<Attempt> = {}): Promise<boolean> {
    return this.lockout.guard(this.attempt(username, more), () => {
      this.performed++;
      return Promise.resolve(succeeds);
    });
  }

  async fail(times: number, username = "mona", more: Partial<Attempt> = {}): Promise<void> {
    for (let i = 0; i < times; i++) equal(await this.try(username, false, more), false);
  }
}

Deno.test("the fifth failure locks: nothing is performed for whoever comes then, until 15 minutes are over", async () => {
  const door = new Door();
  await door.fail(5);
  await rejects(door.try("mona", true), LOCKED);
  equal(door.performed, 5);
  door.clock.advance(899_000);
  await rejects(door.try("mona", true), LOCKED);
  door.clock.advance(1000);
  equal(await door.try("mona", true), true);
});

Deno.test("a lock ends by the time that passes, wherever the wall clock is put", async () => {
  const door = new Door();
  await door.fail(5);
  door.clock.wall += 86_400_000;
  await rejects(door.try("mona", true), LOCKED);
  door.clock.wall -= 2 * 86_400_000;
  door.clock.steady += 900_001;
  equal(await door.try("mona", true), true);
});

Deno.test("a success forgets the failures before it, and so do 15 minutes without one", async () => {
  const door = new Door();
  await door.fail(4);
  await door.try("mona", true);
  await door.fail(4);
  door.clock.advance(900_001);
  await door.fail(4);
  equal(await door.try("mona", true), true);
  equal(door.lockout.locked().length, 0);
});

Deno.test("of attempts at once those past the threshold wait; a success lets them in, a lock turns them away", async () => {
  const door = new Door({ threshold: 2 });
  const running: ((succeeds: boolean) => void)[] = [];
  const begin = () =>
    door.lockout.guard(door.attempt("mona"), () => new Promise<boolean>((resolve) => running.push(resolve)));
  const turns = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const all = [begin(), begin(), begin(), begin()];
  const settled = Promise.allSettled(all);
  await turns();
  equal(running.length, 2);
  running[0]!(true);
  await turns();
  equal(running.length, 3);
  running[1]!(false);
  running[2]!(false);
  const statuses = (await settled).map((one) => one.status === "fulfilled" ? one.value : "refused");
  deepEqual(statuses, [true, false, false, "refused"]);
});

Deno.test("no more than 64 wait for one name", async () => {
  const door = new Door({ threshold: 1 });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const first = door.lockout.guard(door.attempt("mona"), () => promise);
  const waiting = Array.from({ length: 64 }, () => door.try("mona", true));
  await rejects(door.try("mona", true), refused("rate_limited"));
  resolve(true);
  equal(await first, true);
  deepEqual(new Set(await Promise.all(waiting)), new Set([true]));
});

Deno.test("a name that nobody has is locked like others, and isn't listed", async () => {
  const door = new Door();
  await door.fail(5, "nobody", { exists: false });
  await rejects(door.try("nobody", false, { exists: false }), LOCKED);
  deepEqual(door.lockout.locked(), []);
});

Deno.test("names of two mounts are two names", async () => {
  const door = new Door();
  await door.fail(5);
  const mount = { ...door.attempt("mona").mount, accessor: "auth_userpass_2" };
  equal(await door.try("mona", true, { mount }), true);
});

Deno.test("a known address is counted apart, says so in the list, and an unlock frees every counter of the name", async () => {
  const door = new Door();
  await door.fail(5);
  equal(await door.try("mona", true, { knownAddress: "home" }), true, "others' failures don't lock it");
  await door.fail(5, "mona", { knownAddress: "home" });
  await rejects(door.try("mona", true, { knownAddress: "home" }), LOCKED);
  equal(await door.try("mona", true, { knownAddress: "work" }), true, "another address of hers");
  const locked = door.lockout.locked();
  deepEqual(locked.map((one) => [one.username, one.failures, one.secondsLeft, one.isOneAddress]), [
    ["mona", 5, 900, false],
    ["mona", 5, 900, true],
  ]);
  equal(door.lockout.isLocked("auth_userpass_1", "mona"), true);
  door.lockout.unlock("auth_userpass_1", "mona");
  equal(door.lockout.isLocked("auth_userpass_1", "mona"), false);
  equal(await door.try("mona", true), true);
  equal(await door.try("mona", true, { knownAddress: "home" }), true);
});

Deno.test("an unlock while an attempt runs forgets what failed before it, not the attempt", async () => {
  const door = new Door({ threshold: 3 });
  await door.fail(2);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const running = door.lockout.guard(door.attempt("mona"), () => promise);
  door.lockout.unlock("auth_userpass_1", "mona");
  resolve(false);
  equal(await running, false);
  await door.fail(2);
  await rejects(door.try("mona", true), LOCKED);
});

Deno.test("a mount's own limits hold, and where it switches locking off nobody is locked", async () => {
  const door = new Door({ threshold: 2, durationSeconds: 10, counterResetSeconds: 5 });
  await door.fail(1);
  door.clock.advance(5001);
  await door.fail(2);
  await rejects(door.try("mona", true), LOCKED);
  door.clock.advance(10_000);
  equal(await door.try("mona", true), true);
  const open = new Door({ threshold: 1, disabled: true });
  await open.fail(20);
  equal(open.performed, 20);
});

Deno.test("the table is bounded: of 100,000 names the oldest unlocked is forgotten, a locked one stays", async () => {
  const door = new Door();
  await door.fail(5, "locked");
  await door.fail(4, "oldest");
  for (let i = 0; i < 100_000; i++) await door.try(`name ${i}`, false, { exists: false });
  await door.fail(4, "oldest");
  equal(door.lockout.isLocked("auth_userpass_1", "oldest"), false);
  await rejects(door.try("locked", true), LOCKED);
});

Deno.test("an attempt that could not be tried, as when too many wait for a hash, is no failure", async () => {
  const door = new Door();
  await door.fail(4);
  const busy = () => Promise.reject(new Error("too many at once"));
  for (let i = 0; i < 10; i++) await rejects(door.lockout.guard(door.attempt("mona"), busy), /too many/);
  equal(await door.try("mona", true), true);
});

Deno.test("where a mount is tuned to fewer failures than there were, the name is locked and nobody waits for ever", async () => {
  const door = new Door();
  await door.fail(4);
  const tuned = { mount: { ...door.attempt("mona").mount, lockout: { threshold: 3 } } };
  await rejects(door.try("mona", true, tuned), LOCKED);
  door.clock.advance(900_000);
  equal(await door.try("mona", true, tuned), true);
});

Deno.test("a name that was guessed at before it was somebody's is listed from their first attempt on", async () => {
  const door = new Door();
  await door.fail(5, "late", { exists: false });
  await rejects(door.try("late", true), LOCKED);
  deepEqual(door.lockout.locked().map((one) => one.username), ["late"]);
  await rejects(door.try("late", true, { exists: false }), LOCKED);
  deepEqual(door.lockout.locked(), [], "and no longer once they are gone");
});
