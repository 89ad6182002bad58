/**
 * Makes the runtime let go of calls and connections that are over.
 *
 * The HTTP/2 binding of Deno 2.8.3 keeps two things for as long as the process lives, each by a reference of its own that
 * no garbage collection follows: the request to end a stream, where the stream is gone before its last byte was, and
 * the binding of every session. From either everything is reached: the stream, its call, what was to be sent.
 * A client makes the one by giving its answers no window, the other by connecting
 * (`docs/decisions/0040_answers_that_nobody_takes.md`; later runtimes free both, denoland/deno pull request 36043).
 *
 * No public interface reaches them, but the bindings hang on streams and sessions. They are cut loose there. A runtime
 * whose bindings look different is left as it is.
 *
 * @module
 */

import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

const BINDING = "kHandle";
const UNFINISHED = Symbol("unfinished");
const NOTHING = () => {};
/** What is called after the end must find an owner that says so. */
const GONE = Object.freeze({ destroyed: true });

/** The runtime's request to end what is written to a stream. */
interface EndRequest {
  handle: unknown;
  callback: unknown;
  oncomplete: unknown;
}

/** What the runtime calls for a stream. */
interface StreamBinding {
  shutdown(request: EndRequest): number;
  destroy(): void;
  [UNFINISHED]?: EndRequest;
}

let hasTaughtStreams = false;

/** From the first call on, no stream of this thread is kept by what was not sent when it was destroyed. */
export function letGoOfUnsent(stream: ServerHttp2Stream): void {
  if (hasTaughtStreams) return;
  const binding = bindingOf(stream);
  if (binding === undefined) return;
  hasTaughtStreams = true;
  teach(Object.getPrototypeOf(binding));
}

function teach(streams: StreamBinding): void {
  const { shutdown, destroy } = streams;
  if (typeof shutdown !== "function" || typeof destroy !== "function") return;
  streams.shutdown = function (request) {
    this[UNFINISHED] = request;
    return shutdown.call(this, request);
  };
  streams.destroy = function () {
    const request = this[UNFINISHED];
    if (request !== undefined) Object.assign(request, { handle: {}, callback: NOTHING, oncomplete: NOTHING });
    destroy.call(this);
  };
}

/** Once a socket or a session has closed, what the runtime keeps of it leads nowhere. */
export function letGoWhenClosed(owner: Socket | ServerHttp2Session): void {
  const binding = bindingOf(owner) as Record<PropertyKey, unknown> | undefined;
  if (binding === undefined) return;
  owner.once("close", () => {
    for (const key of Reflect.ownKeys(binding)) {
      if (binding[key] === owner) binding[key] = GONE;
      else if (typeof binding[key] === "function") binding[key] = NOTHING;
    }
  });
}

function bindingOf(owner: object): object | undefined {
  const symbol = Object.getOwnPropertySymbols(owner).find(({ description }) => description === BINDING);
  const binding: unknown = symbol && (owner as Record<symbol, unknown>)[symbol];
  return typeof binding === "object" && binding !== null ? binding : undefined;
}
