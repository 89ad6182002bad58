import { equal } from "node:assert/strict";
import { Crowds, type Guest, type Patience, type Stage } from "./connection_crowds.ts";

interface Named extends Guest {
  readonly name: string;
}

/** Everybody had their chance, and nobody is too busy or not idle for long enough. */
const NO_PATIENCE: Patience<Named> = { hadItsChance: () => true, busyUntil: Infinity, idleUntil: Infinity };

/** A house whose guests arrive a millisecond apart. */
function setUp() {
  const crowds = new Crowds<Named>();
  let now = 0;
  const arrive = (account: object, name: string, stage: Stage = "silent", more: Partial<Named> = {}) => {
    const guest: Named = { name, account, acceptedAt: ++now, stage, openCalls: 0, calledAt: null, ...more };
    crowds.add(guest);
    return guest;
  };
  const goes = (newcomer: object, patience: Partial<Patience<Named>> = {}) =>
    crowds.firstToGo(newcomer, { ...NO_PATIENCE, ...patience })?.name;
  return { crowds, arrive, goes };
}

const [HERE, THERE, ELSEWHERE] = [{ address: "here" }, { address: "there" }, { address: "elsewhere" }];

Deno.test("Crowds: the address with the most strangers pays, with its oldest", () => {
  const { arrive, goes } = setUp();
  arrive(HERE, "here 1");
  arrive(THERE, "there 1");
  arrive(THERE, "there 2");
  equal(goes(ELSEWHERE), "there 1");
});

Deno.test("Crowds: a newcomer takes no place of an address that has no more than its own would then have", () => {
  const { arrive, goes } = setUp();
  arrive(HERE, "here 1");
  arrive(THERE, "there 1");
  equal(goes(HERE), "here 1", "its own oldest, not the other address' only one");
  equal(goes(THERE), "there 1");
  equal(goes(HERE, { hadItsChance: ({ account }) => account === THERE }), undefined, "nor where its own can't go yet");
});

Deno.test("Crowds: an address pays with its only one for a newcomer whose address has none; an empty house with nobody", () => {
  const { arrive, goes } = setUp();
  arrive(HERE, "here 1");
  equal(goes(ELSEWHERE), "here 1");
  equal(new Crowds<Named>().firstToGo(ELSEWHERE, NO_PATIENCE), undefined);
});

Deno.test("Crowds: of an address those pay that came as far as most did", () => {
  const { arrive, goes } = setUp();
  arrive(HERE, "caller", "called");
  arrive(HERE, "speaker", "spoken");
  arrive(HERE, "silent 1");
  arrive(HERE, "silent 2");
  equal(goes(ELSEWHERE), "silent 1");
  equal(goes(ELSEWHERE, { hadItsChance: ({ stage }) => stage !== "silent" }), "speaker", "the most can't yet");
});

Deno.test("Crowds: who has authenticated stays while anybody is there who hasn't", () => {
  const { crowds, arrive, goes } = setUp();
  arrive(HERE, "known 1", "known");
  arrive(HERE, "known 2", "known");
  const stranger = arrive(THERE, "stranger");
  equal(goes(ELSEWHERE), "stranger");
  equal(goes(ELSEWHERE, { hadItsChance: () => false }), undefined, "also when that one still has its time");
  equal(crowds.remove(stranger), true);
  equal(goes(ELSEWHERE), "known 1");
});

Deno.test("Crowds: a stranger with open calls goes only if it was accepted early enough", () => {
  const { arrive, goes } = setUp();
  const busy = arrive(HERE, "busy", "called", { openCalls: 1 });
  arrive(HERE, "free", "called");
  equal(goes(ELSEWHERE, { busyUntil: busy.acceptedAt - 1 }), "free");
  equal(goes(ELSEWHERE, { busyUntil: busy.acceptedAt }), "busy");
});

Deno.test("Crowds: of those who have authenticated the longest idle goes, and none with an open call", () => {
  const { arrive, goes } = setUp();
  arrive(HERE, "at work", "known", { openCalls: 1, calledAt: 10 });
  arrive(HERE, "idle since 30", "known", { calledAt: 30 });
  arrive(HERE, "idle since 20", "known", { calledAt: 20 });
  equal(goes(ELSEWHERE), "idle since 20");
  equal(goes(ELSEWHERE, { idleUntil: 20 }), "idle since 20");
  equal(goes(ELSEWHERE, { idleUntil: 19 }), undefined);
});

Deno.test("Crowds: a connection counts where it has come to, once, until it is removed", () => {
  const { crowds, arrive, goes } = setUp();
  const guest = arrive(HERE, "guest");
  for (const stage of ["spoken", "called", "known"] as const) {
    crowds.advance(guest, stage);
    equal(goes(ELSEWHERE), "guest", stage);
  }
  equal(crowds.remove(guest), true);
  equal(crowds.remove(guest), false, "it was counted in one place");
  equal(goes(ELSEWHERE), undefined);
  crowds.advance(guest, "silent");
  equal(goes(ELSEWHERE), undefined, "one that has gone does not come back by what is said of it");
});
