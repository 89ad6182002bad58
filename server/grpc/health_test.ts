import { deepEqual, equal } from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ChannelCredentials, Client, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { soon } from "../../tests/soon.ts";
import { call, frame, rawClient, rawRequest, start, statusOf } from "./_test_support.ts";
import { grpcDefinition } from "./definition.ts";
import { createHealth } from "./health.ts";
import { ownNow } from "../../tests/own_time.ts";

const methods = grpcDefinition(Health);
const VAULT = "rune.vault.v1.VaultService";
const asking = (service: string) => create(HealthCheckRequestSchema, { service });

async function startHealth() {
  const health = createHealth([VAULT]);
  const server = await start({ services: [health.service], stopGraceMs: 5000 });
  const check = (service: string) => call(server.address, methods.check, asking(service));
  return { health, server, check, [Symbol.asyncDispose]: () => server.stop() };
}

/** Watches one service; `next` waits for the next status, `ended` for the end of the stream. */
function watch(address: string, service: string) {
  const client = new Client(address, ChannelCredentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const { path, requestSerialize, responseDeserialize } = methods.watch;
  const stream = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    asking(service),
    new Metadata(),
  );
  const statuses: ServingStatus[] = [];
  const ended = Promise.withResolvers<number>();
  let wake = Promise.withResolvers<void>();
  stream.on("data", (response: HealthCheckResponse) => {
    statuses.push(response.status);
    wake.resolve();
    wake = Promise.withResolvers();
  });
  stream.on("error", (error: ServiceError) => ended.resolve(error.code));
  stream.on("end", () => ended.resolve(status.OK));
  let isOver = false;
  ended.promise.then(() => isOver = true);
  const next = async (count: number) => {
    while (statuses.length < count && !isOver) await soon(Promise.race([wake.promise, ended.promise]));
    return statuses;
  };
  const close = () => {
    stream.cancel();
    client.close();
  };
  return { statuses, next, ended: ended.promise, close };
}

Deno.test("health Check tells the status of the server and of its services", async () => {
  await using running = await startHealth();
  for (const service of ["", VAULT]) {
    equal((await running.check(service)).message?.status, ServingStatus.NOT_SERVING);
    running.health.setServing(true);
    equal((await running.check(service)).message?.status, ServingStatus.SERVING);
    running.health.setServing(false);
  }
});

Deno.test("health Check answers NOT_FOUND for a service it does not know", async () => {
  await using running = await startHealth();
  for (const service of ["nope", "rune.vault.v1.vaultservice", "__proto__"]) {
    equal((await running.check(service)).code, status.NOT_FOUND);
  }
});

Deno.test("health Watch tells the present status and each change once", async () => {
  await using running = await startHealth();
  const watching = watch(running.server.address, VAULT);
  await watching.next(1);
  running.health.setServing(true);
  running.health.setServing(true);
  await watching.next(2);
  running.health.setServing(false);
  const { SERVING, NOT_SERVING } = ServingStatus;
  deepEqual(await watching.next(3), [NOT_SERVING, SERVING, NOT_SERVING]);
  watching.close();
});

Deno.test("health Watch of an unknown service says SERVICE_UNKNOWN and stays open", async () => {
  await using running = await startHealth();
  const watching = watch(running.server.address, "nope");
  deepEqual(await watching.next(1), [ServingStatus.SERVICE_UNKNOWN]);
  running.health.setServing(true);
  equal((await running.check("")).message?.status, ServingStatus.SERVING);
  deepEqual(watching.statuses, [ServingStatus.SERVICE_UNKNOWN]);
  watching.close();
});

Deno.test("stop() tells watchers NOT_SERVING, ends their streams and does not wait for them", async () => {
  const running = await startHealth();
  running.health.setServing(true);
  const watching = watch(running.server.address, "");
  await watching.next(1);
  const startedAt = ownNow();
  await running.server.stop();
  equal(ownNow() - startedAt < 1000, true);
  deepEqual(watching.statuses, [ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
  equal(await soon(watching.ended), status.UNAVAILABLE);
  watching.close();
});

Deno.test("health bounds what strangers can make it hold", async () => {
  await using running = await startHealth();
  equal((await running.check("x".repeat(5000))).code, status.INTERNAL);
  const { session } = rawClient(running.server.address);
  const body = frame(methods.watch.requestSerialize(asking("")));
  const open = () => {
    const stream = session.request({
      ":path": methods.watch.path,
      ":method": "POST",
      "content-type": "application/grpc",
    });
    stream.on("error", () => {});
    stream.end(body);
    return new Promise((resolve) => stream.once("response", resolve));
  };
  for (let index = 0; index < 1000; index += 50) await Promise.all(Array.from({ length: 50 }, open));
  equal(statusOf(await rawRequest(session, { ":path": methods.watch.path }, body)), status.RESOURCE_EXHAUSTED);
  session.destroy();
  // Those that left make room, once it is heard that they did.
  let seen: ServingStatus[] = [];
  for (const end = performance.now() + 20_000; seen.length === 0 && performance.now() < end;) {
    const watching = watch(running.server.address, "");
    seen = await watching.next(1);
    watching.close();
  }
  deepEqual(seen, [ServingStatus.NOT_SERVING]);
});
