import { deepEqual, equal } from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { Buffer } from "node:buffer";
import { FIRST_SAID, FirstBytes, SESSIONS_A_TURN } from "./first_bytes.ts";

/** A socket as far as it matters here. */
class Fake extends EventEmitter {
  destroyed = false;
  unread = Buffer.alloc(0);

  say(text: string): void {
    this.unread = Buffer.concat([this.unread, Buffer.from(text)]);
    this.emit("readable");
  }

  read(): Buffer | null {
    const bytes = this.unread;
    this.unread = Buffer.alloc(0);
    return bytes.length === 0 ? null : bytes;
  }

  /** As a stream does, it says at once that there is something to read. */
  unshift(bytes: Buffer): void {
    this.unread = Buffer.concat([bytes, this.unread]);
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
  const others = { count: 0 };
  const first = new FirstBytes((ended) => void turns.push(ended), () => void others.count++);
  const connect = (must = FIRST_SAID.plain) => {
    const socket = new Fake();
    first.await(socket as unknown as Socket, must, () => void started.push(socket));
    return socket;
  };
  const endTurn = () => turns.splice(0).forEach((ended) => ended());
  return { connect, started, others, turns, endTurn };
}

const PREFACE = FIRST_SAID.plain.toString();

Deno.test("FirstBytes starts who says the preface, at once", () => {
  const { connect, started, turns } = setUp();
  const [silent, spoken] = [connect(), connect()];
  equal(turns.length, 0);
  spoken.say(`${PREFACE}and more`);
  deepEqual([started, spoken.unread.toString()], [[spoken], `${PREFACE}and more`]);
  silent.emit("error", new Error("reset"));
});

Deno.test("FirstBytes closes who ends without a word", () => {
  const { connect, started } = setUp();
  const socket = connect();
  socket.say("");
  deepEqual([socket.destroyed, started.length], [true, 0]);
});

Deno.test("FirstBytes waits for a preface that comes in pieces, and has it read as a whole", () => {
  const { connect, started } = setUp();
  const socket = connect();
  for (const byte of PREFACE.slice(0, -1)) socket.say(byte);
  deepEqual([started.length, socket.destroyed], [0, false]);
  socket.say(`${PREFACE.at(-1)}more`);
  deepEqual([started, socket.unread.toString()], [[socket], `${PREFACE}more`]);
  const ended = connect();
  ended.say("PRI * HTTP/2.0");
  ended.say("");
  deepEqual([ended.destroyed, started.length], [true, 1]);
});

Deno.test("FirstBytes closes who says anything else, unless TLS has to judge it", () => {
  const { connect, started, others } = setUp();
  for (const other of ["GET / HTTP/1.1\r\n\r\n", "PUT", "\x16\x03\x01", `${PREFACE.slice(0, 23)}!`]) {
    const socket = connect();
    socket.say(other);
    equal(socket.destroyed, true, JSON.stringify(other));
  }
  deepEqual([started.length, others.count], [0, 4]);
  const secure = connect(FIRST_SAID.tls);
  secure.say("\x16");
  deepEqual([started, secure.destroyed], [[secure], false]);
});

Deno.test("FirstBytes starts some in each turn, those who came first, and none that has gone", () => {
  const { connect, started, turns, endTurn } = setUp();
  const all = Array.from({ length: 2 * SESSIONS_A_TURN + 2 }, () => connect());
  for (const socket of all) socket.say(PREFACE);
  deepEqual([started, turns.length], [all.slice(0, SESSIONS_A_TURN), 1]);
  const gone = all[SESSIONS_A_TURN]!;
  gone.destroy();
  endTurn();
  deepEqual(started.slice(SESSIONS_A_TURN), all.slice(SESSIONS_A_TURN + 1, 2 * SESSIONS_A_TURN + 1));
  connect().say(PREFACE);
  equal(started.length, 2 * SESSIONS_A_TURN);
  endTurn();
  equal(started.length, 2 * SESSIONS_A_TURN + 2);
  endTurn();
  equal(turns.length, 0);
});
