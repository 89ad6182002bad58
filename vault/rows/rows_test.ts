import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import type { UserRecord, UserTokenRecord } from "../storage/records.ts";
import { isHex, isUuid, readUuid } from "./hex.ts";
import { hashText, RowIndex } from "./row_index.ts";
import { TokenRows } from "./token_rows.ts";
import { UserList } from "./user_list.ts";
import { UserRows } from "./user_rows.ts";

const hex = (chars: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${chars}}$`));
const moment = fc.integer({ min: 0, max: 4e12 });

const user: fc.Arbitrary<UserRecord> = fc.record({
  entityId: fc.oneof(fc.uuid(), fc.string()),
  name: fc.string({ unit: "grapheme" }),
  epoch: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  disabled: fc.boolean(),
  createdAt: moment,
  agentKeyLeftAt: moment,
  indexKeyLeftAt: moment,
  scoreRows: fc.nat({ max: 2 ** 31 - 2 }),
  entityName: fc.string(),
  policies: fc.array(fc.string()),
  isUser: fc.constant(false as const),
  deletedAt: moment,
}, { requiredKeys: ["entityId", "name", "epoch", "disabled", "createdAt"], noNullPrototype: true });

function token(owner: string): fc.Arbitrary<UserTokenRecord> {
  return fc.record({
    tokenHash: hex(64),
    entityId: fc.constant(owner),
    epoch: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    role: fc.string(),
    secretVersion: fc.integer({ min: 1, max: 1000 }),
    issuedAt: fc.option(moment),
    expiresAt: fc.option(moment),
    graceUntil: moment,
    ended: fc.constantFrom("revoked", "rotated", "expired"),
    endedAt: moment,
  }, {
    requiredKeys: ["tokenHash", "entityId", "epoch", "role", "secretVersion", "issuedAt", "expiresAt"],
    noNullPrototype: true,
  });
}

Deno.test("UserRows gives back what was put, whatever a record has", () => {
  fc.assert(fc.property(fc.array(user), fc.array(user), (first, second) => {
    const rows = new UserRows();
    const expected = new Map<string, UserRecord>();
    for (const record of [...first, ...second]) {
      rows.put(record);
      expected.set(record.entityId, record);
    }
    equal(rows.size, expected.size);
    for (const [id, record] of expected) deepEqual(rows.get(id)?.record, record);
    deepEqual([...rows.values()].map((one) => one.record), [...expected.values()]);
    equal(rows.get("nobody's id"), undefined);
  }));
});

Deno.test("TokenRows gives back what was put, whatever a record has", () => {
  fc.assert(fc.property(fc.array(token("owner")), fc.array(token("owner")), (first, second) => {
    const users = new UserRows();
    users.put({ entityId: "owner", name: "o", epoch: 1, disabled: false, createdAt: 0 });
    const rows = new TokenRows(users);
    const expected = new Map<string, UserTokenRecord>();
    for (const record of [...first, ...second]) {
      rows.put(record);
      expected.set(record.tokenHash.slice(0, 32), record);
    }
    for (const [agentId, record] of expected) {
      deepEqual(rows.get(agentId)?.record, record);
      equal(rows.get(agentId)?.user.record.name, "o");
      ok(!rows.has(agentId.slice(1)) && !rows.has(`${agentId}0`) && !rows.has(agentId.toUpperCase() + "!"));
    }
    deepEqual([...rows].map(([agentId]) => agentId), [...expected.keys()]);
  }));
});

Deno.test("what was found before a change shows the change, and no record that was handed out does", () => {
  const rows = new UserRows();
  const record = { entityId: "a", name: "a", epoch: 1, disabled: false, createdAt: 0 };
  rows.put(record);
  const found = rows.get("a")!;
  const before = found.record;
  equal(found.record, before, "a record is made once");
  rows.put({ ...record, epoch: 2, disabled: true });
  deepEqual([found.record.epoch, found.epoch, found.disabled, before.epoch], [2, 2, true, 1]);
});

Deno.test("of more users than are kept as objects each is found with their own record, whoever was asked for before", () => {
  const rows = new UserRows();
  const nameOf = (row: number) => `user ${row}`;
  for (let row = 0; row < 1000; row++) {
    rows.put({ entityId: `id ${row}`, name: nameOf(row), epoch: 0, disabled: false, createdAt: row });
  }
  for (const row of [0, 256, 0, 512, 999, 231, 487, 999]) {
    equal(rows.at(row).record.name, nameOf(row));
    equal(rows.get(`id ${row}`)?.record.createdAt, row);
  }
});

Deno.test("RowIndex finds what was added and not taken out, over growth and equal hashes", () => {
  const steps = fc.array(fc.record({ row: fc.nat(300), add: fc.boolean() }), { maxLength: 2000 });
  fc.assert(fc.property(steps, fc.constantFrom(1, 3, 64, 1e9), (all, hashes) => {
    const hashOf = (row: number) => hashText(String(row % hashes));
    const index = new RowIndex(hashOf);
    const held = new Set<number>();
    for (const { row, add } of all) {
      if (add && !held.has(row)) index.add(row);
      if (!add) index.remove(row, hashOf(row));
      if (add) held.add(row);
      else held.delete(row);
    }
    for (let row = 0; row <= 300; row++) {
      equal(index.find(hashOf(row), (other) => other === row), held.has(row) ? row : -1);
    }
    const [bucket] = [...held];
    if (bucket === undefined) return;
    const same = index.all(hashOf(bucket), (row) => row % hashes === bucket % hashes);
    deepEqual(same.sort(), [...held].filter((row) => row % hashes === bucket % hashes).sort());
  }));
});

Deno.test("UserList keeps places, also of those who come while it is read", () => {
  const users = new UserRows();
  const list = new UserList(users);
  const add = (id: string) => list.add(users.put({ entityId: id, name: id, epoch: 1, disabled: false, createdAt: 0 }));
  for (const id of ["a", "b", "c"]) add(id);
  const seen: string[] = [];
  for (const { record, index } of list) {
    equal(index, seen.length);
    seen.push(record.name);
    if (seen.length === 2) add("d");
  }
  deepEqual(seen, ["a", "b", "c", "d"]);
  deepEqual([...list.slice(1, 3)].map(({ record }) => record.name), ["b", "c"]);
  deepEqual([...list.slice(3, 99)].map(({ record }) => record.name), ["d"]);
});

Deno.test("hex is read as it is written, and nothing else passes for it", () => {
  const bytes = new Uint8Array(16);
  fc.assert(fc.property(fc.uuid(), fc.nat(35), fc.string({ minLength: 1, maxLength: 1 }), (id, place, char) => {
    ok(readUuid(id, bytes) && isUuid(bytes, 0, id));
    const other = id.slice(0, place) + char + id.slice(place + 1);
    equal(isUuid(bytes, 0, other), other === id);
    const read = new Uint8Array(16);
    equal(readUuid(other, read), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(other));
    const text = id.replaceAll("-", "");
    ok(isHex(bytes, 0, 16, text) && !isHex(bytes, 0, 15, text) && !isHex(bytes, 0, 16, text.slice(1)));
  }));
});
