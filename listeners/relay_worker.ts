/**
 * The thread that relays: it accepts the connections of all HTTP ports, does their TLS and watches their turns, so that
 * whoever opens connections takes nothing of the main thread's time. It sees the bytes and has no key but a certificate's.
 *
 * @module
 */

import { awaitPlaces } from "./more_places.ts";
import type { RelayPlan } from "./open_relay.ts";
import { Relay } from "./relay.ts";
import type { FromRelay, ToRelay } from "./relay_messages.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToRelay>) => void) | null;
  postMessage(message: FromRelay): void;
}

const scope = globalThis as unknown as WorkerScope;
const ports = new Map<number, ThreadPort>();

/** One port. */
class ThreadPort {
  readonly #id: number;
  /** Questions for a server that are not answered yet, by the peer. */
  readonly #asked = new Map<string, PromiseWithResolvers<string>>();
  #relay: Relay | undefined;

  constructor(id: number) {
    this.#id = id;
  }

  async open(plan: RelayPlan, answers: SharedArrayBuffer): Promise<void> {
    const id = this.#id;
    const relay = this.#relay = await Relay.open(plan, {
      servers: {
        open: (peer) => this.#wantInside(peer),
        close: (peer) => scope.postMessage(["close_inside", id, peer]),
      },
      morePlaces: (wanted) => awaitPlaces(answers, () => scope.postMessage(["more_places", id, wanted])),
      logger: { log: (level, event, fields = {}) => scope.postMessage(["log", id, level, event, fields]) },
    });
    scope.postMessage(["opened", id, relay.hostname, relay.port]);
  }

  receive(message: ToRelay): void {
    if (message[0] === "inside") this.#wanted(message[2]).resolve(message[3]);
    else if (message[0] === "no_inside") this.#wanted(message[2]).reject(new Error(message[3]));
    else if (message[0] === "certificate") this.#relay?.replaceCertificate(message[2]);
    else if (message[0] === "stop_accepting") this.#relay?.stopAccepting();
    else if (message[0] === "drain") void this.#drain(message[2]);
  }

  #wantInside(peer: string): Promise<string> {
    const wanted = Promise.withResolvers<string>();
    this.#asked.set(peer, wanted);
    scope.postMessage(["want_inside", this.#id, peer]);
    return wanted.promise;
  }

  /** Takes the question out that has been answered. */
  #wanted(peer: string): PromiseWithResolvers<string> {
    const wanted = this.#asked.get(peer)!;
    this.#asked.delete(peer);
    return wanted;
  }

  async #drain(graceMs: number): Promise<void> {
    await this.#relay?.drain(graceMs);
    ports.delete(this.#id);
    scope.postMessage(["drained", this.#id]);
  }
}

scope.onmessage = ({ data: message }) => {
  const id = message[1];
  if (message[0] !== "open") return ports.get(id)?.receive(message);
  const port = new ThreadPort(id);
  ports.set(id, port);
  port.open(message[2], message[3]).catch((error) => {
    ports.delete(id);
    scope.postMessage(["cannot_open", id, error instanceof Error ? error.message : String(error), error?.code]);
  });
};
