/**
 * The thread that relays for all HTTP ports of a server, seen from the main one: see `relay_worker.ts`.
 *
 * @module
 */

import { answerPlaces, memoryForPlaces } from "./more_places.ts";
import type { Certificate, OpenRelay, RelayPlan, RelayPorts } from "./open_relay.ts";
import type { FromRelay, ToRelay } from "./relay_messages.ts";
import { type SocketFolder, socketFolder } from "./socket_folder.ts";

/** What the thread is made of. */
export interface RelayThreadOptions {
  /** A folder that this user alone may enter, for sockets; see `HttpPortOptions`. */
  readonly folder?: string | undefined;
  /** Told when the thread died: its ports answer nobody any more. */
  readonly onDeath: (reason: string) => void;
  readonly makeWorker?: (permissions: Deno.PermissionOptionsObject) => Worker;
}

/** A running thread. */
export class RelayThread {
  readonly #worker: Worker;
  readonly #folder: SocketFolder;
  readonly #ports = new Map<number, ThreadRelay>();
  #lastPort = 0;
  #death: string | null = null;

  /** Starts the thread; what is asked of it waits until it runs. */
  constructor({ folder, onDeath, makeWorker = startWorker }: RelayThreadOptions) {
    this.#folder = socketFolder(folder);
    this.#worker = makeWorker(permissionsIn(this.folder));
    this.#worker.onmessage = ({ data }: MessageEvent<FromRelay>) => this.#ports.get(data[1])?.receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#die(event.message);
      onDeath(event.message);
    };
  }

  /** Where the sockets are that it may connect to. */
  get folder(): string {
    return this.#folder.path;
  }

  /** Opens a port; rejects with what makes that impossible. */
  open(plan: RelayPlan, ports: RelayPorts): Promise<OpenRelay> {
    if (this.#death !== null) return Promise.reject(new Error(`The thread that relays died: ${this.#death}`));
    const id = ++this.#lastPort;
    const relay = new ThreadRelay(id, ports, (message) => this.#worker.postMessage(message));
    this.#ports.set(id, relay);
    relay.open(plan);
    return relay.opened.promise;
  }

  /** Ends the thread, and every connection that its ports still have. */
  async close(): Promise<void> {
    this.#worker.terminate();
    if (this.#folder.isTemporary) await Deno.remove(this.folder, { recursive: true });
  }

  #die(reason: string): void {
    this.#death = reason;
    for (const port of this.#ports.values()) port.die(reason);
  }
}

/** A port of the thread. */
class ThreadRelay implements OpenRelay {
  hostname = "";
  port = 0;
  readonly opened = Promise.withResolvers<OpenRelay>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #id: number;
  readonly #ports: RelayPorts;
  readonly #post: (message: ToRelay) => void;
  readonly #answers = memoryForPlaces();

  constructor(id: number, ports: RelayPorts, post: (message: ToRelay) => void) {
    this.#id = id;
    this.#ports = ports;
    this.#post = post;
  }

  open(plan: RelayPlan): void {
    this.#post(["open", this.#id, plan, this.#answers]);
  }

  replaceCertificate(certificate: Certificate): void {
    this.#post(["certificate", this.#id, certificate]);
  }

  stopAccepting(): void {
    this.#post(["stop_accepting", this.#id]);
  }

  drain(graceMs: number): Promise<void> {
    this.#post(["drain", this.#id, graceMs]);
    return this.#drained.promise;
  }

  receive(message: FromRelay): void {
    const { servers, morePlaces, logger } = this.#ports;
    if (message[0] === "want_inside") void this.#openInside(message[2]);
    else if (message[0] === "close_inside") servers.close(message[2]);
    else if (message[0] === "more_places") answerPlaces(this.#answers, () => morePlaces(message[2]));
    else if (message[0] === "log") logger.log(message[2], message[3], message[4]);
    else if (message[0] === "drained") this.#drained.resolve();
    else if (message[0] === "cannot_open") this.#reject(message[2], message[3]);
    else if (message[0] === "opened") {
      [, , this.hostname, this.port] = message;
      this.opened.resolve(this);
    }
  }

  die(reason: string): void {
    this.#drained.resolve();
    this.#reject(`The thread that relays died: ${reason}`, undefined);
  }

  #reject(reason: string, code: string | undefined): void {
    this.opened.reject(Object.assign(new Error(reason), { code }));
  }

  async #openInside(peer: string): Promise<void> {
    try {
      this.#post(["inside", this.#id, peer, await this.#ports.servers.open(peer)]);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#ports.logger.log("error", "server_behind_failed", { reason });
      this.#post(["no_inside", this.#id, peer, reason]);
    }
  }
}

/** It may connect and listen, use sockets in that folder, and nothing else. */
function permissionsIn(folder: string): Deno.PermissionOptionsObject {
  const none = { env: false, ffi: false, import: false, run: false, sys: false } as const;
  return { ...none, net: "inherit", read: [folder], write: [folder] };
}

function startWorker(permissions: Deno.PermissionOptionsObject): Worker {
  const url = new URL("./relay_worker.ts", import.meta.url).href;
  return new Worker(url, { type: "module", name: "relay", deno: { permissions } });
}
