import { deepEqual, equal, ok } from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { ConnectionTable } from "./connection_table.ts";
import { UnauthenticatedBudget } from "./unauthenticated_budget.ts";

/** A socket or session as far as the table knows one. */
class Fake extends EventEmitter {
  destroyed = false;
  readonly remoteAddress = "10.0.0.1";
  readonly socket = this;
  readonly remotePort: number;

  constructor(remotePort: number) {
    super();
    this.remotePort = remotePort;
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
  const table = new ConnectionTable({
    budget,
    handshakeMs: 10_000,
    now: () => time.now,
    spareDescriptors: (wanted) => {
      asked.push(wanted);
      return Math.min(wanted, descriptors);
    },
    onClosed: (reason) => void closed.push(reason),
  });
  let port = 0;
  const connect = () => {
    const socket = new Fake(++port);
    table.accept(socket as unknown as Socket);
    return socket;
  };
  const attach = (socket: Fake) => {
    const session = new Fake(socket.remotePort) as Fake & Http2Session;
    table.attach(session);
    // A session that is destroyed takes its socket along.
    session.once("close", () => socket.destroy());
    return session;
  };
  const fill = () => Array.from({ length: table.places - table.size }, connect);
  return { time, closed, asked, budget, table, connect, attach, fill };
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

Deno.test("ConnectionTable leaves 1030 descriptors to others, and asks for more once a minute", () => {
  const { table, fill, connect, asked, time } = setUp(1030 + 100);
  fill();
  for (let i = 0; i < 200; i++) connect();
  deepEqual([table.places, asked], [228, [1158]]);
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

Deno.test("ConnectionTable lets go who never called before who did, and the longest idle first", () => {
  const { table, fill, connect, attach, closed, time } = setUp();
  const [called, busy, first, second, ...rest] = fill();
  const sessions = [called!, busy!, first!].map(attach);
  const [one, two] = sessions.map((session) => table.of(session)!);
  Object.assign(one!, { calledAt: 1000 });
  Object.assign(two!, { calledAt: 1000, openCalls: 1 });
  time.now += 500;
  deepEqual([connect().destroyed, first!.destroyed], [false, true]);
  deepEqual([connect().destroyed, second!.destroyed], [false, true]);
  for (const socket of rest) socket.destroy();
  for (const socket of fill()) ok(!socket.destroyed);
  equal(connect().destroyed, false);
  deepEqual([called!.destroyed, busy!.destroyed], [true, false]);
  ok(connect().destroyed, "the rest is busy or young");
  deepEqual(closed, ["made_room", "made_room", "made_room", "no_place"]);
  equal(table.size, 128);
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
