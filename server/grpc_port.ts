/**
 * The gRPC port: served by this thread, and where so configured by others beside it.
 *
 * @module
 */

import type { Logger, RandomSource } from "../vault/mod.ts";
import { plaintextCredentials, tlsCredentials } from "./grpc/credentials.ts";
import type { HealthReporter } from "./grpc/health.ts";
import { createGrpcServer, type GrpcServerOptions } from "./grpc/server.ts";
import { type BudgetLimits, DEFAULT_BUDGET } from "./grpc/unauthenticated_budget.ts";
import { SharedHoldings } from "./grpc/shared_holdings.ts";
import { divide, GrpcThreads } from "./grpc/threads/grpc_threads.ts";
import type { CallParts } from "./grpc/threads/thread_calls.ts";
import type { ListenerTls } from "./listener_tls.ts";
import { formatListenAddress, type ListenAddress } from "./tls/mod.ts";
import { assertFree } from "./workers.ts";

/** What the port serves. */
export interface GrpcFaces extends CallParts {
  readonly health: HealthReporter;
  /** Told when a thread died, and with it its share of the port. */
  readonly onThreadDeath: (reason: string) => void;
}

/** What it needs of the process. */
export interface GrpcSurroundings {
  /** Threads that serve, this one among them. */
  readonly workers: number;
  /** Null: plaintext. */
  readonly tls: ListenerTls | null;
  readonly logger: Logger;
  readonly random: RandomSource;
  /** What strangers may hold, on all threads together. Absent: the usual. */
  readonly limits?: BudgetLimits;
}

/** An open port. */
export interface GrpcPort {
  /** The actual `host:port`. */
  readonly address: string;
  /** Refuses new calls and waits for those in flight. */
  stop(): Promise<void>;
}

/**
 * Opens the port.
 *
 * @throws what listening throws; nothing is open then.
 */
export async function openGrpcPort(
  address: ListenAddress,
  faces: GrpcFaces,
  around: GrpcSurroundings,
): Promise<GrpcPort> {
  const { services, isLive, onUnhandled } = faces;
  const { logger, tls, workers, limits = DEFAULT_BUDGET } = around;
  const credentials = tls === null
    ? plaintextCredentials()
    : tlsCredentials(tls.material, tls.clientCaPem === undefined ? {} : { clientCaPem: tls.clientCaPem });
  const options = { address: formatListenAddress(address), credentials, services };
  if (workers === 1) return await createGrpcServer({ ...options, guard: { isLive, logger, limits, onUnhandled } });
  await assertFree(address);
  return await openShared(options, faces, around);
}

async function openShared(
  options: GrpcServerOptions,
  faces: GrpcFaces,
  { logger, tls, workers, random, limits = DEFAULT_BUDGET }: GrpcSurroundings,
): Promise<GrpcPort> {
  const shares = divide(workers, random);
  const shared = {
    holdings: new SharedHoldings(shares.holdings),
    wantRoom: (peer: string | null) => threads?.makeRoom(peer),
  };
  const { isLive, onUnhandled } = faces;
  const guard = { isLive, onUnhandled, logger, shared, limits, places: shares.places };
  let threads: GrpcThreads | undefined;
  const server = await createGrpcServer({ ...options, guard, sharesPort: true });
  const { address } = server;
  const makeRoom = (peer: string | null) => server.makeRoom(peer);
  try {
    const onDeath = faces.onThreadDeath;
    threads = await GrpcThreads.start({ ...faces, shares, limits, address, tls, logger, makeRoom, onDeath });
  } catch (error) {
    await server.stop();
    throw error;
  }
  const stopThreads = threads.stop.bind(threads);
  return {
    address,
    stop: async () => {
      await Promise.all([server.stop(), stopThreads()]);
    },
  };
}
