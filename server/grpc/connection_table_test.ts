import { deepEqual, equal, ok } from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { ConnectionTable } from "./connection_table.ts";
import { UnauthenticatedBudget } from "./unauthenticated_budget.ts";

/** A socket or session as far as the table knows one. */
class Fake extends EventEmitter {
  destroyed = false;
  readonly socket = this;
  readonly remotePort: number;
  readonly remoteAddress: string;

  constructor(remotePort: number, remoteAddress: string) {
    super();
    this.remotePort = remotePort;
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

function setUp(descriptors = 0) {
  const time = { now: 1000 };
  const closed: string[] = [];
  const asked: number[] = [];
  const budget = new UnauthenticatedBudget();
  const turns: (() => void)[] = [];
  const table = new ConnectionTable({
    budget,
    handshakeMs: 10_000,
    now: () => time.now,
    afterTurn: (ended) => void turns.push(ended),
    spareDescriptors: (wanted) => {
      asked.push(wanted);
      return Math.min(wanted, descriptors);
    },
    onClosed: (reason) => void closed.push(reason),
  });
  let port = 0;
  const connect = (address = "10.0.0.1") => {
    const socket = new Fake(++port, address);
    table.accept(socket as unknown as Socket);
    return socket;
  };
  const attach = (socket: Fake) => {
    const session = new Fake(socket.remotePort, socket.remoteAddress) as Fake & Http2Session;
    table.attach(session);
    // A session that is destroyed takes its socket along.
    session.once("close", () => socket.destroy());
    return session;
  };
  const speak = (socket: Fake) => {
    const session = attach(socket);
    session.emit("remoteSettings");
    return table.of(session)!;
  };
  const call = (socket: Fake) => {
    const connection = speak(socket);
    table.callBegan(connection, time.now);
    return connection;
  };
  const become = (socket: Fake, isKnown: boolean) => table.callEnded(call(socket), time.now, () => isKnown);
  const fill = () => Array.from({ length: table.places - table.size }, () => connect());
  const endTurn = () => turns.splice(0).forEach((ended) => ended());
  /** Time passes, and turns of the event loop with it. */
  const pass = (milliseconds: number) => {
    time.now += milliseconds;
    for (let i = 0; i < 3; i++) endTurn();
  };
  return { time, turns, closed, asked, budget, table, connect, attach, speak, call, become, fill, endTurn, pass };
}

Deno.test("ConnectionTable counts connections until they close, and keeps an account for their peer", () => {
  const { table, budget, connect } = setUp();
  const sockets = [connect(), connect()];
  deepEqual([table.size, budget.peers], [2, 1]);
  for (const socket of sockets) socket.destroy();
  deepEqual([table.size, budget.peers], [0, 0]);
});

Deno.test("ConnectionTable grows with the need while there are descriptors, up to 4096 places", () => {
  const { table, fill, connect, asked, closed } = setUp(1_000_000);
  equal(table.places, 128);
  for (let i = 0; i < 10; i++) {
    fill();
    connect();
  }
  deepEqual([table.places, table.size, asked.length], [4096, 4096, 5]);
  deepEqual(new Set(closed), new Set(["no_place"]), "all are too young to go");
});

Deno.test("ConnectionTable leaves 1062 descriptors to others, and asks for more once a minute", () => {
  const { table, fill, connect, asked, time } = setUp(1062 + 100);
  fill();
  for (let i = 0; i < 200; i++) connect();
  deepEqual([table.places, asked], [228, [1190]]);
  time.now += 60_000;
  connect();
  equal(asked.length, 2);
});

Deno.test("ConnectionTable closes a newcomer where nobody can go", () => {
  const { table, fill, connect, closed } = setUp();
  const sockets = fill();
  const late = connect();
  ok(late.destroyed);
  deepEqual([closed, table.size, sockets.some((socket) => socket.destroyed)], [["no_place"], 128, false]);
});

Deno.test("ConnectionTable keeps who has authenticated as long as anybody is there who hasn't, however new", () => {
  const { connect, become, fill, closed, pass, time } = setUp();
  const known = connect();
  become(known, true);
  pass(3_600_000);
  const strangers = fill();
  ok(connect().destroyed, "nobody has had a chance yet");
  pass(100);
  become(strangers[1]!, false);
  for (const _ of strangers) equal(connect().destroyed, false);
  deepEqual([known.destroyed, strangers.every((one) => one.destroyed)], [false, true]);
  time.now += 3_600_000;
  ok(connect().destroyed, "time alone is no chance: the event loop stood still");
  equal(known.destroyed, false);
  deepEqual(closed.filter((reason) => reason === "no_place").length, 2);
});

Deno.test("ConnectionTable lets the longest idle go where all have authenticated, of the address with the most", () => {
  const { connect, become, call, fill, pass } = setUp();
  const others = Array.from({ length: 3 }, () => connect("10.0.0.2"));
  const [busy, first, second, ...rest] = fill();
  for (const one of [...others, first!, second!, ...rest]) become(one, true);
  become(busy!, true);
  call(busy!);
  become(first!, true);
  pass(4999);
  ok(connect().destroyed, "each may be about to call");
  pass(1);
  become(first!, true);
  const late = connect("10.0.0.3");
  deepEqual([late, first, second, ...others].map((one) => one!.destroyed), [false, false, true, false, false, false]);
  ok(!busy!.destroyed);
});

Deno.test("ConnectionTable has the address with the most strangers pay, and nobody for a newcomer with more", () => {
  const { connect, speak, fill, pass } = setUp();
  const few = Array.from({ length: 3 }, () => connect("10.0.0.2"));
  speak(few[1]!);
  const many = fill();
  pass(100);
  for (let i = 0; i < 1000; i++) {
    equal(connect().destroyed, false);
    pass(100);
  }
  deepEqual([few.some((one) => one.destroyed), many.every((one) => one.destroyed)], [false, true]);
  for (let i = 0; i < 63; i++) equal(connect("10.0.0.3").destroyed, false);
  ok(connect("10.0.0.3").destroyed, "it has 63 that are all new, and the other address 62");
  equal(few.some((one) => one.destroyed), false);
});

Deno.test("ConnectionTable has the stage pay that most of an address' strangers reached, the oldest first", () => {
  const { connect, speak, become, fill, pass } = setUp();
  const [silent, spoken, called, ...rest] = fill();
  speak(spoken!);
  become(called!, false);
  pass(100);
  for (const _ of [silent!, ...rest]) connect();
  deepEqual([silent, spoken, called].map((one) => one!.destroyed), [true, false, false]);
  ok(rest.every((one) => one.destroyed));
});

Deno.test("ConnectionTable spares a silent newcomer in a flood of those that say their preface", () => {
  const { connect, speak, fill, pass } = setUp();
  fill().forEach(speak);
  pass(100);
  const silent = connect();
  pass(100);
  for (let i = 0; i < 127; i++) speak(connect());
  equal(silent.destroyed, false);
});

Deno.test("ConnectionTable lets open calls keep the connection of a stranger for ten seconds", () => {
  const { connect, call, fill, pass } = setUp();
  const all = fill();
  all.forEach(call);
  pass(9999);
  ok(connect().destroyed);
  pass(1);
  deepEqual([connect().destroyed, all[0]!.destroyed, all[1]!.destroyed], [false, true, false]);
});

Deno.test("ConnectionTable closes 16 sessions in a turn to make room, and sockets without one as they come", () => {
  const { connect, attach, fill, pass, endTurn } = setUp();
  const [first, ...rest] = fill();
  rest.forEach(attach);
  pass(100);
  for (let i = 0; i < 17; i++) equal(connect().destroyed, false);
  deepEqual([first!.destroyed, rest.filter((one) => one.destroyed).length], [true, 16]);
  ok(connect().destroyed);
  endTurn();
  equal(connect().destroyed, false);
});

Deno.test("ConnectionTable counts turns of the event loop only while somebody is new", () => {
  const { connect, turns, endTurn } = setUp();
  connect();
  connect();
  equal(turns.length, 1);
  endTurn();
  connect();
  equal(turns.length, 1);
  endTurn();
  endTurn();
  equal(turns.length, 0);
});

Deno.test("ConnectionTable closes what has no settings in time, and nothing else", () => {
  const { table, connect, attach, closed, time } = setUp();
  const [silent, prefaced, good] = [connect(), connect(), connect()];
  attach(prefaced!);
  attach(good!).emit("remoteSettings");
  time.now += 9999;
  table.sweep();
  equal(table.size, 3);
  const late = connect();
  time.now += 1;
  table.sweep();
  deepEqual([silent, prefaced, good, late].map((one) => one!.destroyed), [true, true, false, false]);
  deepEqual(closed, ["no_handshake", "no_handshake"]);
});

Deno.test("ConnectionTable knows no connection for a session whose socket has gone", () => {
  const { table, connect, attach } = setUp();
  const socket = connect();
  const session = attach(socket);
  ok(table.of(session) !== undefined);
  const gone = connect();
  gone.destroy();
  equal(table.of(attach(gone)), undefined);
  equal(table.of(undefined), undefined);
});
