import { deepEqual, equal } from "node:assert/strict";
import { EventEmitter } from "node:events";
import { constants, type ServerHttp2Session } from "node:http2";
import { limitResets, MOST_RESETS } from "./reset_limit.ts";

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = constants;

/** A session as far as the limit knows one. */
class FakeSession extends EventEmitter {
  destroyed = false;
  readonly said: number[] = [];

  goaway(code: number): void {
    this.said.push(code);
  }

  destroy(): void {
    this.destroyed = true;
  }
}

function setUp() {
  const time = { now: 5000 };
  const session = new FakeSession();
  let ended = 0;
  limitResets(session as unknown as ServerHttp2Session, { now: () => time.now, onEnded: () => void ended++ });
  const close = (count: number, about: { rstCode: number; headersSent: boolean }) => {
    for (let i = 0; i < count; i++) {
      const stream = Object.assign(new EventEmitter(), about);
      session.emit("stream", stream);
      stream.emit("close");
    }
  };
  const reset = (count: number) => close(count, { rstCode: NGHTTP2_CANCEL, headersSent: false });
  return { time, session, ended: () => ended, close, reset };
}

Deno.test("limitResets() ends a connection at the 301st call that is reset before its answer, and says why once", () => {
  const { session, ended, reset } = setUp();
  reset(MOST_RESETS);
  equal(session.destroyed, false);
  reset(5);
  deepEqual([session.destroyed, session.said, ended()], [true, [NGHTTP2_ENHANCE_YOUR_CALM], 1]);
});

Deno.test("limitResets() allows 33 more a second, and never more than at first", () => {
  const { time, session, reset } = setUp();
  time.now += 3_600_000;
  reset(MOST_RESETS);
  time.now += 2000;
  reset(66);
  equal(session.destroyed, false);
  reset(1);
  equal(session.destroyed, true);
});

Deno.test("limitResets() counts neither calls that had their answer nor those that ended as they should", () => {
  const { session, close, reset } = setUp();
  close(1000, { rstCode: NGHTTP2_CANCEL, headersSent: true });
  close(1000, { rstCode: NGHTTP2_NO_ERROR, headersSent: false });
  reset(MOST_RESETS);
  equal(session.destroyed, false);
});
