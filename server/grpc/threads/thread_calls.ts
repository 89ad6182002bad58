/**
 * The calls that came in by one other thread, answered by the handlers of this one: what they decide is decided once,
 * whatever thread a call came in by.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type {
  handleUnaryCall,
  Metadata,
  MethodDefinition,
  ServerErrorResponse,
  ServerUnaryCall,
  StatusObject,
} from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { EnvelopeService } from "../../../vault/mod.ts";
import { asVaultError, VaultError } from "../../../vault/errors.ts";
import type { EnvelopeHead } from "../../../vault/keys/envelope.ts";
import type { GrpcService } from "../definition.ts";
import { encodedParts } from "../encoded_message.ts";
import type { UnhandledCall } from "../unhandled_calls.ts";
import type { FromThread, Refusal, ToThread } from "./messages.ts";
import { ThreadCall } from "./thread_call.ts";
import type { ThreadedBatches } from "./threaded_batches.ts";

/** What calls of threads are answered with. */
export interface CallParts {
  readonly services: readonly GrpcService[];
  readonly batches: ThreadedBatches;
  readonly envelopes: Pick<EnvelopeService, "keyFor">;
  readonly isLive: (token: string) => boolean;
  /** Told of every call that ended without a handler that records it. */
  readonly onUnhandled: (call: UnhandledCall) => void;
}

interface Method {
  readonly definition: MethodDefinition<object, object>;
  readonly handler: handleUnaryCall<object, object>;
}

/** The unary methods of services, by the path that a call names. */
export type Methods = ReadonlyMap<string, Method>;

/** Finds the unary methods among the services of a server. */
export function unaryMethods(services: readonly GrpcService[]): Methods {
  const methods = new Map<string, Method>();
  for (const { definition, handlers } of services) {
    for (const [name, method] of Object.entries(definition)) {
      if (method.requestStream || method.responseStream) continue;
      methods.set(method.path, { definition: method, handler: handlers[name] as handleUnaryCall<object, object> });
    }
  }
  return methods;
}

/** The calls of one thread that are under way. */
export class ThreadCalls {
  readonly #parts: Omit<CallParts, "services" | "onUnhandled">;
  readonly #methods: Methods;
  readonly #post: (message: ToThread) => void;
  readonly #open = new Map<number, ThreadCall>();

  constructor(parts: Omit<CallParts, "services" | "onUnhandled">, methods: Methods, post: (message: ToThread) => void) {
    this.#parts = parts;
    this.#methods = methods;
    this.#post = post;
  }

  /** Takes what a thread says of a call; false: the message is about something else. */
  receive(message: FromThread): boolean {
    switch (message[0]) {
      case "call":
        this.#begin(message);
        return true;
      case "cancel":
        this.#open.get(message[1])?.cancel();
        this.#open.delete(message[1]);
        return true;
      case "keys":
        this.#giveKeys(message[1], message[2]);
        return true;
      case "done":
        this.#open.get(message[1])?.done(message[2], message[3]);
        return true;
      case "failed":
        this.#open.get(message[1])?.failed(new VaultError(message[2], message[3]));
        return true;
      case "live":
        this.#post(["live", message[1], this.#parts.isLive(message[2])]);
        return true;
      default:
        return false;
    }
  }

  #begin([, id, path, bytes, headers, peer]: Extract<FromThread, readonly ["call", ...unknown[]]>): void {
    const method = this.#methods.get(path)!;
    const request = method.definition.requestDeserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    const call = new ThreadCall({ id, request, headers, peer }, this.#post);
    this.#open.set(id, call);
    this.#parts.batches.note(call);
    method.handler(call as unknown as ServerUnaryCall<object, object>, (error, response) => {
      // Its caller may have gone: then nobody waits.
      if (!this.#open.delete(id)) return;
      if (error) this.#post(refusal(id, error));
      else if (call.holdsAnswer) this.#post(["send", id]);
      else this.#post(["answer", id, bytesOf(method.definition, response!)]);
    });
  }

  /** Each envelope's key is asked for anew: who may open what can change between two calls. */
  async #giveKeys(id: number, heads: readonly EnvelopeHead[]): Promise<void> {
    const right = this.#open.get(id)?.right;
    if (right === undefined) return;
    const key = async (head: EnvelopeHead): Promise<Uint8Array | Refusal> => {
      right.opened?.note(head.agentId, head.envelopes ?? 1);
      try {
        return await this.#parts.envelopes.keyFor(head, right);
      } catch (thrown) {
        const { kind, message } = asVaultError(thrown);
        return [kind, message];
      }
    };
    this.#post(["keys", id, await Promise.all(heads.map(key))]);
  }
}

function refusal(id: number, error: ServerErrorResponse | Partial<StatusObject>): ToThread {
  const { code, details, metadata } = error as Partial<StatusObject>;
  return ["refuse", id, code ?? status.UNKNOWN, details ?? "", pairsOf(metadata)];
}

function pairsOf(metadata: Metadata | undefined): [string, string][] {
  return Object.entries(metadata?.getMap() ?? {}).map(([name, value]) => [name, String(value)]);
}

function bytesOf(definition: Method["definition"], response: object): readonly Uint8Array[] {
  return encodedParts(response) ?? [definition.responseSerialize(response)];
}
