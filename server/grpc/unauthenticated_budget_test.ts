import { deepEqual, equal, ok } from "node:assert/strict";
import { BudgetedCall, type PeerAccount, UnauthenticatedBudget } from "./unauthenticated_budget.ts";
import { ownNow } from "../../tests/own_time.ts";

const MIB = 1024 * 1024;
/** What the budget adds for a call, and for a chunk. */
const CALL = 16 * 1024, CHUNK = 256;

class Call extends BudgetedCall {
  refused = 0;
  asked = 0;
  readonly #known: boolean;

  constructor(known = false) {
    super();
    this.#known = known;
  }

  isAuthenticated(): boolean {
    this.asked++;
    return this.#known;
  }

  refuse(): void {
    this.refused++;
  }
}

function open(budget: UnauthenticatedBudget, account: PeerAccount, bytes = 0, known = false): Call {
  const call = new Call(known);
  budget.open(call, account);
  if (bytes > 0) budget.add(call, bytes);
  return call;
}

Deno.test("UnauthenticatedBudget counts calls, their chunks and what each costs besides, and gives all back", () => {
  const budget = new UnauthenticatedBudget({ totalBytes: 10 * MIB, peerBytes: 5 * MIB });
  const account = budget.join("10.0.0.1");
  const call = open(budget, account);
  equal(budget.bytes, CALL);
  budget.add(call, 1000);
  budget.add(call, 1);
  equal(budget.bytes, CALL + 1001 + 2 * CHUNK);
  const other = open(budget, account, 5000);
  equal(account.bytes, 2 * CALL + 6001 + 3 * CHUNK);
  budget.close(call);
  budget.close(call);
  equal(budget.bytes, CALL + 5000 + CHUNK);
  budget.close(other);
  deepEqual([budget.bytes, account.bytes, account.calls.size], [0, 0, 0]);
});

Deno.test("UnauthenticatedBudget refuses the large call that outgrows its peer's share, and no other", () => {
  const budget = new UnauthenticatedBudget({ totalBytes: 100 * MIB, peerBytes: 10 * MIB });
  const account = budget.join("10.0.0.1");
  const first = open(budget, account, 7 * MIB);
  const second = open(budget, account, 2 * MIB);
  budget.add(second, MIB);
  deepEqual([first.refused, second.refused], [0, 1]);
  ok(first.account === account && second.account === null);
  budget.add(second, 50 * MIB);
  equal(account.bytes, 7 * MIB + CALL + CHUNK, "a call that was refused counts no more");
  const elsewhere = open(budget, budget.join("10.0.0.2"), 9 * MIB);
  equal(elsewhere.refused, 0);
});

Deno.test("UnauthenticatedBudget refuses the call that outgrows the total", () => {
  const budget = new UnauthenticatedBudget({ totalBytes: 20 * MIB, peerBytes: 10 * MIB });
  const calls = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((peer) => open(budget, budget.join(peer), 9 * MIB));
  deepEqual(calls.map((call) => call.refused), [0, 0, 1]);
  ok(budget.bytes <= 20 * MIB);
});

Deno.test("UnauthenticatedBudget makes room for small calls at the cost of the largest of the peer", () => {
  const budget = new UnauthenticatedBudget({ totalBytes: 100 * MIB, peerBytes: 10 * MIB });
  const account = budget.join("10.0.0.1");
  const [small, largest, large] = [1000, 5 * MIB, 4 * MIB + 950_000].map((bytes) => open(budget, account, bytes));
  const newcomers = Array.from({ length: 20 }, () => open(budget, account, 1000));
  deepEqual(newcomers.map((call) => call.refused), newcomers.map(() => 0));
  deepEqual([small!.refused, largest!.refused, large!.refused], [0, 1, 0]);
});

Deno.test("UnauthenticatedBudget makes room in the total at the cost of the peer that holds most", () => {
  const budget = new UnauthenticatedBudget({ totalBytes: 20 * MIB, peerBytes: 15 * MIB });
  // Peers without a call hold nothing that could be given back, however many they are.
  for (let i = 0; i < 200; i++) budget.join(`10.1.0.${i}`);
  const modest = open(budget, budget.join("10.0.0.1"), 7 * MIB);
  const hoarder = open(budget, budget.join("10.0.0.2"), 12 * MIB + 900_000);
  const newcomers = Array.from({ length: 10 }, () => open(budget, budget.join("10.0.0.3"), 1000));
  deepEqual(newcomers.map((call) => call.refused), newcomers.map(() => 0));
  deepEqual([modest.refused, hoarder.refused], [0, 1]);
});

Deno.test("UnauthenticatedBudget bounds calls that hold nothing but themselves", () => {
  const budget = new UnauthenticatedBudget({ totalBytes: 100 * MIB, peerBytes: MIB });
  const account = budget.join("10.0.0.1");
  const calls = Array.from({ length: 1000 }, () => open(budget, account));
  equal(account.calls.size, MIB / CALL);
  equal(calls.filter((call) => call.refused === 1).length, 1000 - MIB / CALL);
  equal(calls.at(-1)!.refused, 0, "the newest is let in, an older one goes");
});

Deno.test("UnauthenticatedBudget lets a call go uncounted whose caller is known, and asks once, only for want of room", () => {
  const budget = new UnauthenticatedBudget({ totalBytes: 100 * MIB, peerBytes: 10 * MIB });
  const account = budget.join("10.0.0.1");
  const known = open(budget, account, 8 * MIB, true);
  equal(known.asked, 0);
  for (let i = 0; i < 20; i++) budget.add(known, 8 * MIB);
  deepEqual([known.asked, known.refused, account.bytes], [1, 0, 0]);
  const other = open(budget, account, 8 * MIB, true);
  for (let i = 0; i < 200; i++) open(budget, account, 1000);
  deepEqual([other.asked, other.refused, other.account], [1, 0, null]);
});

Deno.test("UnauthenticatedBudget keeps a peer's account while it has connections", () => {
  const budget = new UnauthenticatedBudget();
  const first = budget.join("10.0.0.1");
  equal(budget.join("10.0.0.1"), first);
  budget.leave(first);
  equal(budget.join("10.0.0.1"), first);
  budget.leave(first);
  budget.leave(first);
  equal(budget.peers, 0);
});

Deno.test("UnauthenticatedBudget takes an IPv6 network of 64 bits as one peer, and IPv4 in either form", () => {
  const budget = new UnauthenticatedBudget();
  const same = [
    ["2001:db8:1:2::1", "2001:DB8:1:2:ffff::", "2001:0db8:0001:0002:3:4:5:6"],
    ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:10.0.0.1"],
    ["fe80::1%eth0", "fe80::2"],
    ["::1", "::2"],
    ["1:2::3:4:5:6:7", "1:2:0:3:4:5:6:8"],
  ];
  for (const group of same) equal(new Set(group.map((address) => budget.join(address))).size, 1, group.join());
  const different = ["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8::1", "::1", "10.0.0.1", "10.0.0.2", "unknown"];
  equal(new Set(different.map((address) => budget.join(address))).size, different.length);
});

Deno.test("UnauthenticatedBudget stays quick where a peer holds many calls", () => {
  const budget = new UnauthenticatedBudget();
  const account = budget.join("10.0.0.1");
  const startedAt = ownNow();
  for (let i = 0; i < 50_000; i++) open(budget, account, 4000);
  ok(ownNow() - startedAt < 5000, "making room looks at few calls");
  ok(account.bytes <= 272 * MIB);
});
