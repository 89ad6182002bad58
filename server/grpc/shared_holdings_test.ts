import { deepEqual, equal, ok } from "node:assert/strict";
import { SharedHoldings } from "./shared_holdings.ts";
import { BudgetedCall, UnauthenticatedBudget } from "./unauthenticated_budget.ts";

const MIB = 1024 * 1024;

class Call extends BudgetedCall {
  refused = 0;

  isAuthenticated(): boolean {
    return false;
  }

  refuse(): void {
    this.refused++;
  }
}

/** The budgets of two threads, which ask each other for room at once. */
function twoBudgets(limits = { totalBytes: 20 * MIB, peerBytes: 10 * MIB }) {
  const memory = SharedHoldings.memory(2, 42);
  const asked: (string | null)[] = [];
  const budgets: UnauthenticatedBudget[] = [0, 1].map((index) =>
    new UnauthenticatedBudget(limits, {
      holdings: new SharedHoldings(memory),
      wantRoom: (peer) => {
        asked.push(peer);
        budgets[1 - index]!.relieve(peer);
      },
    })
  );
  const [first, second] = budgets as [UnauthenticatedBudget, UnauthenticatedBudget];
  return { first, second, asked, holdings: new SharedHoldings(memory) };
}

function open(budget: UnauthenticatedBudget, peer: string, bytes: number): Call {
  const call = new Call();
  budget.open(call, budget.join(peer));
  budget.add(call, bytes);
  return call;
}

Deno.test("SharedHoldings counts by peer and in all, for everybody who has its memory", () => {
  const memory = SharedHoldings.memory(3, -7);
  const [one, other] = [new SharedHoldings(memory), new SharedHoldings(memory)];
  equal(one.threads, 3);
  const slot = one.slotOf("10.0.0.1");
  equal(other.slotOf("10.0.0.1"), slot);
  one.add(slot, 100);
  other.add(slot, 50);
  other.add(other.slotOf("10.0.0.2"), 7);
  deepEqual([one.ofPeer(slot), one.ofAll()], [150, 157]);
});

Deno.test("SharedHoldings spreads peers over its slots, by a key that nobody outside knows", () => {
  const peers = Array.from({ length: 4096 }, (_, i) => `10.${i >> 8}.${i & 255}.1`);
  const slots = (key: number) => {
    const holdings = new SharedHoldings(SharedHoldings.memory(1, key));
    return peers.map((peer) => holdings.slotOf(peer));
  };
  ok(new Set(slots(1)).size > 4070, "hardly two meet");
  const [under1, under2] = [slots(1), slots(2)];
  ok(under1.filter((slot, i) => slot === under2[i]).length < 10);
  ok(under1.every((slot) => slot >= 3 && slot < 3 + (1 << 20)));
});

Deno.test("a large call that outgrows what is left on all threads together is refused where it is", () => {
  const { first, second, holdings } = twoBudgets();
  const large = open(first, "10.0.0.1", 7 * MIB);
  const larger = open(second, "10.0.0.1", 4 * MIB);
  deepEqual([large.refused, larger.refused], [0, 1]);
  const elsewhere = open(second, "10.0.0.2", 9 * MIB);
  const last = open(first, "10.0.0.3", 9 * MIB);
  deepEqual([elsewhere.refused, last.refused], [0, 1], "the total counts all threads too");
  first.close(large);
  second.close(elsewhere);
  equal(holdings.ofAll(), 0);
});

Deno.test("for a small call the thread that holds most makes room, and nobody is asked in vain", () => {
  const { first, second, asked } = twoBudgets();
  const hoarder = open(second, "10.0.0.1", 10 * MIB - 40 * 1024);
  const small = [1000, 1000, 1000].map((bytes) => open(first, "10.0.0.1", bytes));
  deepEqual([hoarder.refused, asked], [1, ["10.0.0.1"]]);
  deepEqual(small.map((call) => call.refused), [0, 0, 0]);
});

Deno.test("where all peers together hold too much, the peer that holds most pays, on whichever thread that is", () => {
  const { first, second, asked, holdings } = twoBudgets();
  const hoarders = [9, 10].map((mib, i) => open(second, `10.0.0.${i}`, mib * MIB - 64 * 1024));
  const own = open(first, "10.0.1.1", MIB - 64 * 1024);
  const small = Array.from({ length: 20 }, (_, i) => open(first, `10.0.2.${i}`, 10_000));
  deepEqual(hoarders.map((call) => call.refused), [0, 1]);
  deepEqual([own.refused, asked], [0, [null]], "this thread holds less than its share");
  ok(small.every((call) => call.refused === 0) && holdings.ofAll() <= 20 * MIB);
});

Deno.test("small calls alone can't hold more than the limit either, however they are shared out", () => {
  const { first, second, holdings } = twoBudgets({ totalBytes: MIB, peerBytes: MIB });
  const calls = Array.from({ length: 200 }, (_, i) => open(i % 3 === 0 ? first : second, "10.0.0.1", 1000));
  ok(holdings.ofAll() <= MIB + 64 * 1024, `${holdings.ofAll()} bytes`);
  ok(calls.some((call) => call.refused === 1) && calls.at(-1)!.refused === 0);
});
