/**
 * The standard health service, `grpc.health.v1`: says whether this server wants calls, to whoever asks.
 *
 * It needs no token, so what a stranger can make it hold is bounded.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import { type handleServerStreamingCall, type handleUnaryCall, type ServerWritableStream, status } from "@grpc/grpc-js";
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { type GrpcService, grpcService } from "./definition.ts";

/** A service name is short; a stranger's request need not be. */
const MAX_REQUEST_BYTES = 4096;
/** Each watcher holds a stream open. A load balancer opens one a connection. */
export const MAX_WATCHERS = 1000;

/** The health of a server, and the service that tells it. */
export interface HealthReporter {
  readonly service: GrpcService;
  /** Says from now on that calls are (or are not) wanted, and tells every watcher. */
  setServing(serving: boolean): void;
  /** Tells `follower` now, and of every later change. */
  follow(follower: (serving: boolean) => void): void;
}

type Watcher = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/**
 * Returns the health of a server that is not serving yet.
 *
 * @param serviceNames The fully qualified names that clients may ask for; the empty one, for the whole server, is
 * always known.
 * @param maxWatchers Streams that may be open at a time.
 */
export function createHealth(serviceNames: readonly string[], maxWatchers = MAX_WATCHERS): HealthReporter {
  const known = new Set(["", ...serviceNames]);
  const watchers = new Map<Watcher, ServingStatus>();
  const followers: ((serving: boolean) => void)[] = [];
  let current = ServingStatus.NOT_SERVING;

  const check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = (call, respond) => {
    if (known.has(call.request.service)) respond(null, response(current));
    else respond({ code: status.NOT_FOUND, details: "The server has no service of this name" });
  };

  const watch: handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> = (call) => {
    if (watchers.size >= maxWatchers) return endStream(call, status.RESOURCE_EXHAUSTED, "Too many watchers");
    const isKnown = known.has(call.request.service);
    call.once("cancelled", () => watchers.delete(call));
    watchers.set(call, isKnown ? current : ServingStatus.SERVICE_UNKNOWN);
    call.write(response(isKnown ? current : ServingStatus.SERVICE_UNKNOWN));
  };

  const setServing = (serving: boolean) => {
    current = serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    for (const [watcher, told] of watchers) {
      if (told === current || told === ServingStatus.SERVICE_UNKNOWN) continue;
      watchers.set(watcher, current);
      watcher.write(response(current));
    }
    for (const follower of followers) follower(serving);
  };

  const follow = (follower: (serving: boolean) => void) => {
    followers.push(follower);
    follower(current === ServingStatus.SERVING);
  };

  /** Watchers would keep a stopping server waiting: they hear of it and are let go. */
  const onStop = () => {
    setServing(false);
    for (const watcher of watchers.keys()) endStream(watcher, status.UNAVAILABLE, "The server is stopping");
    watchers.clear();
  };

  const service = grpcService(Health, { check, watch }, { maxRequestBytes: MAX_REQUEST_BYTES, onStop });
  return { service, setServing, follow };
}

/** grpc-js takes an `error` event on a response stream as its final status, after what was written before. */
function endStream(stream: Watcher, code: status, details: string): void {
  stream.emit("error", { code, details });
}

function response(servingStatus: ServingStatus): HealthCheckResponse {
  return create(HealthCheckResponseSchema, { status: servingStatus });
}
