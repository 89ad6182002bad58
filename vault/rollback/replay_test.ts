import { deepEqual, equal } from "node:assert/strict";
import { seededRandom } from "../../tests/fakes/seeded_random.ts";
import { withVault } from "../_test_support.ts";
import type { UserRecord } from "../storage/records.ts";
import { Replay } from "./replay.ts";

const TIME = "2026-03-20T10:00:00.000Z";

Deno.test("S9: who was cut off since is cut off again, not disabled alone; who was let in again isn't", async () => {
  await withVault({}, async (it) => {
    for (const name of ["alice", "bob", "carol"]) await it.issue(name);
    await it.vault.users.disable("carol");
    const idOf = (name: string) => it.vault.users.show(name).entityId;
    const replay = new Replay();
    const about = (name: string, cut_off: boolean) => {
      return { kind: "user", id: idOf(name), act: "changed", epoch: 5, disabled: cut_off, cut_off } as const;
    };
    replay.add({ time: TIME, effects: [about("alice", true), about("bob", true), about("carol", true)] });
    replay.add({ time: TIME, effects: [about("bob", false)] });
    const writes = replay.plan(it.vault.state, 0, seededRandom("replay"));
    const users = writes.filter(({ kind }) => kind === "user").map(({ value }) => value as UserRecord);
    const at = Date.parse(TIME);
    deepEqual(users.map(({ name, disabled, cutOff }) => [name, disabled, cutOff]), [
      ["alice", true, { at }],
      ["bob", false, undefined],
      ["carol", true, { at, wasDisabled: true }],
    ]);
    equal(users.every(({ epoch }) => epoch === 5), true);
  });
});
