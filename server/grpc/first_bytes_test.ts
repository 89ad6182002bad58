import { deepEqual, equal } from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { FirstBytes, SESSIONS_A_TURN } from "./first_bytes.ts";

/** A socket as far as it matters here. */
class Fake extends EventEmitter {
  readableLength = 0;
  destroyed = false;

  say(bytes: number): void {
    this.readableLength = bytes;
    this.emit("readable");
  }

  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

function setUp() {
  const turns: (() => void)[] = [];
  const started: Fake[] = [];
  const first = new FirstBytes((ended) => void turns.push(ended));
  const connect = () => {
    const socket = new Fake();
    first.await(socket as unknown as Socket, () => void started.push(socket));
    return socket;
  };
  const endTurn = () => turns.splice(0).forEach((ended) => ended());
  return { connect, started, turns, endTurn };
}

Deno.test("FirstBytes starts who says something, at once", () => {
  const { connect, started, turns } = setUp();
  const [silent, spoken] = [connect(), connect()];
  equal(turns.length, 0);
  spoken.say(24);
  deepEqual(started, [spoken]);
  silent.emit("error", new Error("reset"));
});

Deno.test("FirstBytes closes who ends without a word", () => {
  const { connect, started } = setUp();
  const socket = connect();
  socket.say(0);
  deepEqual([socket.destroyed, started.length], [true, 0]);
});

Deno.test("FirstBytes starts some in each turn, those who came first, and none that has gone", () => {
  const { connect, started, turns, endTurn } = setUp();
  const all = Array.from({ length: 2 * SESSIONS_A_TURN + 2 }, connect);
  for (const socket of all) socket.say(1);
  deepEqual([started, turns.length], [all.slice(0, SESSIONS_A_TURN), 1]);
  const gone = all[SESSIONS_A_TURN]!;
  gone.destroy();
  endTurn();
  deepEqual(started.slice(SESSIONS_A_TURN), all.slice(SESSIONS_A_TURN + 1, 2 * SESSIONS_A_TURN + 1));
  connect().say(1);
  equal(started.length, 2 * SESSIONS_A_TURN);
  endTurn();
  equal(started.length, 2 * SESSIONS_A_TURN + 2);
  endTurn();
  equal(turns.length, 0);
});
