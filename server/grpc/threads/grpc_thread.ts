/**
 * A thread that serves gRPC beside the main one, on the same port: HTTP/2, TLS, framing and the decryption of envelopes.
 * It holds no token, no role and no window, so nothing has to be kept in step with the main thread.
 *
 * @module
 */

import { Identity } from "../../../proto/gen/runevault/v1/identity_pb.ts";
import { Health } from "../../../proto/gen/grpc/health/v1/health_pb.ts";
import { Metadata } from "../../../proto/gen/runevault/v1/metadata_pb.ts";
import { VaultService } from "../../../proto/gen/rune/vault/v1/vault_pb.ts";
import type { Logger } from "../../../vault/ports.ts";
import { plaintextCredentials, tlsCredentials } from "../credentials.ts";
import { createHealth } from "../health.ts";
import { createReflection } from "../reflection.ts";
import { createGrpcServer, type GrpcServer } from "../server.ts";
import { SharedHoldings } from "../shared_holdings.ts";
import { forwardedServices } from "./forwarded_services.ts";
import { Forwarder } from "./forwarder.ts";
import type { FromThread, ThreadPlan, ToThread } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { PostedCertificate } from "./posted_certificate.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<readonly ToThread[]>) => void) | null;
  postMessage(messages: readonly FromThread[]): void;
}

const SERVED = [VaultService, Metadata, Identity];
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };

/** The server of one thread. */
class GrpcThread {
  readonly #outbox: Outbox<FromThread>;
  readonly #logger: Logger;
  readonly #forwarder: Forwarder;
  readonly #health: ReturnType<typeof createHealth>;
  readonly #certificate: PostedCertificate | null;
  #server: GrpcServer | undefined;

  constructor(plan: ThreadPlan, outbox: Outbox<FromThread>) {
    const post = (message: FromThread) => outbox.add(message);
    this.#outbox = outbox;
    this.#logger = { log: (level, event, fields = {}) => post(["log", level, event, fields]) };
    this.#forwarder = new Forwarder(post, this.#logger, random);
    this.#health = createHealth(SERVED.map(({ typeName }) => typeName), plan.maxWatchers);
    this.#certificate = plan.tls === null ? null : new PostedCertificate(plan.tls.pair);
  }

  async listen({ address, tls, places, maxReflections, limits, holdings }: ThreadPlan): Promise<void> {
    const clientCaPem = tls?.clientCaPem;
    const wantRoom = (peer: string | null) => this.#outbox.add(["want_room", peer]);
    this.#server = await createGrpcServer({
      address,
      credentials: this.#certificate === null
        ? plaintextCredentials()
        : tlsCredentials(this.#certificate, clientCaPem === undefined ? {} : { clientCaPem }),
      services: [
        ...forwardedServices(this.#forwarder),
        this.#health.service,
        ...createReflection([...SERVED, Health], maxReflections),
      ],
      guard: {
        isLive: (token) => this.#forwarder.isLive(token),
        logger: this.#logger,
        shared: { holdings: new SharedHoldings(holdings), wantRoom },
        places,
        limits,
        onUnhandled: (call) => this.#outbox.add(["unhandled", call]),
      },
      sharesPort: true,
    });
    this.#outbox.add(["listening"]);
  }

  receive(message: ToThread): void {
    if (this.#forwarder.receive(message)) return;
    if (message[0] === "serving") this.#health.setServing(message[1]);
    else if (message[0] === "make_room") this.#server?.makeRoom(message[1]);
    else if (message[0] === "certificate") this.#certificate?.replace(message[1]);
    else if (message[0] === "stop") this.#stop();
  }

  #stop(): void {
    this.#server?.stop().finally(() => this.#outbox.add(["stopped"]));
  }
}

const scope = globalThis as unknown as WorkerScope;
const outbox = new Outbox<FromThread>((messages) => scope.postMessage(messages));
let thread: GrpcThread | undefined;

function receive(message: ToThread): void {
  if (message[0] !== "serve") return thread?.receive(message);
  thread = new GrpcThread(message[1], outbox);
  thread.listen(message[1]).catch((error) => {
    outbox.add(["cannot_listen", error instanceof Error ? String(error.cause ?? error.message) : "unknown failure"]);
  });
}

scope.onmessage = ({ data }) => {
  for (const message of data) receive(message);
  outbox.flush();
};
