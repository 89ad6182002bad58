import { NO_AUDIT } from "../../tests/fakes/no_audit.ts";
import { deepEqual, equal, ok } from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { SealMetadataRequestSchema } from "../../proto/gen/runevault/v1/metadata_pb.ts";
import { VaultError } from "../../vault/errors.ts";
import { soon } from "../../tests/soon.ts";
import {
  call,
  metadataService,
  recordingPorts,
  servicesAnswering,
  start,
  startAnswering,
  vault,
} from "./_test_support.ts";
import { type CallContext, createUnary } from "./unary.ts";

const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });

Deno.test("unary() hands over request and token, and observes the call under its user", async () => {
  await using running = await startAnswering((_request, context) => {
    context.audited.user = "alice";
    return `for ${context.token}`;
  });
  const { message } = await call(running.server.address, vault.getAgentManifest, request);
  equal(message?.manifestJson, "for evt_a");
  equal(message?.error, "");
  equal(running.observed.length, 1);
  const { method, user, ok: succeeded, seconds } = running.observed[0]!;
  deepEqual({ method, user, succeeded }, { method: "get_agent_manifest", user: "alice", succeeded: true });
  ok(seconds >= 0 && seconds < 10);
});

Deno.test("unary() waits for a handler that answers later", async () => {
  await using running = await startAnswering(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return "later";
  });
  const { message } = await call(running.server.address, vault.getAgentManifest, request);
  equal(message?.manifestJson, "later");
  const { seconds } = running.observed[0]!;
  ok(seconds >= 0.015 && seconds < 10, `${seconds} s`);
});

Deno.test("unary() refuses missing and differing tokens before the handler runs", async () => {
  let ran = 0;
  await using running = await startAnswering(() => `${++ran}`);
  const { address } = running.server;
  const none = create(GetAgentManifestRequestSchema);
  const differing = { metadata: { authorization: "Bearer evt_b" } };
  for (
    const ended of [
      await call(address, vault.getAgentManifest, none),
      await call(address, vault.getAgentManifest, request, differing),
    ]
  ) {
    equal(ended.code, status.UNAUTHENTICATED);
    equal(ended.message, undefined);
  }
  equal(ran, 0);
  deepEqual(running.observed.map(({ user, ok }) => ({ user, ok })), [
    { user: "unknown", ok: false },
    { user: "unknown", ok: false },
  ]);
});

Deno.test("unary() takes metadata alone on runevault.v1, and either on rune.vault.v1", async () => {
  await using running = await startAnswering((_request, context) => context.token);
  const { address } = running.server;
  const metadata = { authorization: "Bearer evt_m" };
  const sealed = await call(address, metadataService.sealMetadata, create(SealMetadataRequestSchema), { metadata });
  deepEqual(sealed.message?.envelopes, ["evt_m"]);
  const bare = await call(address, metadataService.sealMetadata, create(SealMetadataRequestSchema));
  equal(bare.code, status.UNAUTHENTICATED);
  const none = create(GetAgentManifestRequestSchema);
  equal((await call(address, vault.getAgentManifest, none, { metadata })).message?.manifestJson, "evt_m");
});

Deno.test("unary() translates what a handler throws at once or later", async () => {
  const error = new VaultError("rate_limited", "Too many calls", { data: { retryAfterSeconds: 12 } });
  const throwing = () => {
    throw error;
  };
  for (const answer of [throwing, () => Promise.reject(error)]) {
    await using running = await startAnswering(answer);
    const ended = await call(running.server.address, vault.getAgentManifest, request);
    equal(ended.code, status.RESOURCE_EXHAUSTED);
    equal(ended.details, "Too many calls (retry after 12 s)");
    deepEqual(ended.trailers.get("retry-after"), ["12"]);
    equal(running.observed[0]?.ok, false);
  }
});

Deno.test("unary() answers INTERNAL with a request id for the unforeseen, and goes on", async () => {
  let broken = true;
  await using running = await startAnswering(() => {
    if (broken) throw new TypeError("secret inside");
    return "fine";
  });
  const ended = await call(running.server.address, vault.getAgentManifest, request);
  equal(ended.code, status.INTERNAL);
  equal(ended.details, "The vault could not answer this request (request 0707070707070000)");
  ok(!ended.details.includes("secret"));
  equal(running.events[0]?.fields["method"], "get_agent_manifest");
  broken = false;
  equal((await call(running.server.address, vault.getAgentManifest, request)).message?.manifestJson, "fine");
});

Deno.test("unary() answers a message with half a surrogate pair", async () => {
  await using running = await startAnswering(() => {
    throw new VaultError("invalid_argument", 'Name "\ud800\n%" is not allowed');
  });
  const ended = await call(running.server.address, vault.getAgentManifest, request);
  equal(ended.code, status.INVALID_ARGUMENT);
  equal(ended.details, 'Name "\ufffd\n%" is not allowed');
});

Deno.test("unary() survives an answer that cannot be encoded", async () => {
  const unwritable = {
    toString() {
      throw new TypeError("not text");
    },
  };
  await using running = await startAnswering(() => unwritable as unknown as string);
  const ended = await call(running.server.address, vault.getAgentManifest, request);
  equal(ended.code, status.INTERNAL);
});

Deno.test("unary() survives an observer that throws", async () => {
  const { ports, events } = recordingPorts();
  const observe = () => {
    throw new RangeError("no such label");
  };
  const services = servicesAnswering(createUnary({ ...NO_AUDIT, ...ports, observe }), () => Promise.resolve("fine"));
  const server = await start({ services });
  equal((await call(server.address, vault.getAgentManifest, request)).message?.manifestJson, "fine");
  equal(events[0]?.event, "grpc_answer_failed");
  await server.stop();
});

Deno.test("unary() gives the caller's address without its port", async () => {
  await using running = await startAnswering((_request, context) => context.peerAddress);
  const { message } = await call(running.server.address, vault.getAgentManifest, request);
  equal(message?.manifestJson, "127.0.0.1");
  await using onV6 = await startAnswering((_request, context) => context.peerAddress, { address: "[::1]:0" });
  equal((await call(onV6.server.address, vault.getAgentManifest, request)).message?.manifestJson, "::1");
});

/** Starts a server whose handler waits for its signal, and reports what the signal said. */
async function waitingForAbort() {
  const aborted = Promise.withResolvers<unknown>();
  const called = Promise.withResolvers<CallContext>();
  const running = await startAnswering((_request, context) => {
    called.resolve(context);
    return new Promise((_resolve, reject) => {
      context.signal.addEventListener("abort", () => {
        aborted.resolve(context.signal.reason);
        reject(context.signal.reason);
      });
    });
  });
  return { running, aborted: aborted.promise, called: called.promise };
}

Deno.test("unary() aborts the signal when the caller cancels", async () => {
  const { running, aborted, called } = await waitingForAbort();
  await using _ = running;
  const cancel = new AbortController();
  const ended = call(running.server.address, vault.getAgentManifest, request, { signal: cancel.signal });
  await soon(called);
  cancel.abort();
  equal((await ended).code, status.CANCELLED);
  equal(((await soon(aborted)) as VaultError).kind, "cancelled");
  for (const end = performance.now() + 20_000; running.observed.length === 0 && performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  equal(running.observed[0]?.ok, false);
});

Deno.test("unary() aborts the signal when the deadline passes", async () => {
  const { running, aborted, called } = await waitingForAbort();
  await using _ = running;
  let hasArrived = false;
  called.then(() => hasArrived = true);
  // On a busy machine a short deadline passes before the call is there.
  for (let deadlineMs = 100; !hasArrived; deadlineMs *= 4) {
    const ended = await call(running.server.address, vault.getAgentManifest, request, { deadlineMs });
    equal(ended.code, status.DEADLINE_EXCEEDED);
  }
  equal(((await soon(aborted)) as VaultError).kind, "cancelled");
});

Deno.test("unary() leaves the signal alone when the call ends well", async () => {
  let context: CallContext | undefined;
  await using running = await startAnswering((_request, given) => {
    context = given;
    return `${given.signal.aborted}`;
  });
  equal((await call(running.server.address, vault.getAgentManifest, request)).message?.manifestJson, "false");
  await new Promise((resolve) => setTimeout(resolve, 20));
  equal(context?.signal.aborted, false);
});
