/**
 * Messages to another thread, posted together: a post costs ten times what one more message in it does.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** More than this in one post would hold up the thread that reads it. */
const MAX_BATCH = 64;

/** Collects messages until the present turn of the event loop is over. */
export class Outbox<Message> {
  readonly #post: (messages: readonly Message[]) => void;
  readonly #waiting: Message[] = [];
  #isScheduled = false;

  constructor(post: (messages: readonly Message[]) => void) {
    this.#post = post;
  }

  /** Posts a message soon, after those before it. */
  add(message: Message): void {
    this.#waiting.push(message);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /** Posts what waits. */
  flush(): void {
    while (this.#waiting.length > 0) this.#post(this.#waiting.splice(0, MAX_BATCH));
  }
}
