/**
 * The feed of revocations is open to strangers: those who wait for it must leave room for everybody else.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { type ClientRequest, request } from "node:http";
import { eventually, sleep } from "../clients.ts";
import { StartedServer } from "../started_server.ts";

/** A long poll from an address of its own on the loopback; resolves with the status. */
function poll(server: StartedServer, localAddress: string, etag: string, open: ClientRequest[]): Promise<number> {
  const [host, port] = server.addresses.api!.split(":") as [string, string];
  const path = "/v1/identity/oidc/revoked?wait=60s";
  const headers = { "if-none-match": etag };
  return new Promise((resolve) => {
    const sent = request({ host, port, path, headers, localAddress, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode!);
    });
    sent.on("error", () => resolve(0));
    sent.end();
    open.push(sent);
  });
}

async function waitingAt({ addresses }: StartedServer): Promise<number> {
  const text = await (await fetch(`http://${addresses.metrics}/metrics`)).text();
  return Number(/^runevault_revocation_feed_waiting (\d+)$/m.exec(text)![1]);
}

Deno.test("S14: strangers from three hundred addresses who wait for the feed hold up nobody's request", async () => {
  await using server = await StartedServer.start();
  const address = `http://${server.addresses.api}`;
  const first = await fetch(`${address}/v1/identity/oidc/revoked`);
  deepEqual(await first.json(), { revocations: [] });
  const open: ClientRequest[] = [];
  const polls = Array.from(
    { length: 300 },
    (_, i) => poll(server, `127.0.${1 + (i >> 7)}.${1 + (i & 127)}`, first.headers.get("etag")!, open),
  );
  await sleep(300);
  const waits: number[] = [];
  for (let i = 0; i < 10; i++) {
    const startedAt = performance.now();
    const health = await fetch(`${address}/v1/sys/health`, { signal: AbortSignal.timeout(20_000) });
    await health.body?.cancel();
    equal(health.status, 200);
    waits.push(performance.now() - startedAt);
  }
  // Behind the polls they would wait until those end.
  ok(Math.min(...waits) < 2000, `each request waited ${Math.min(...waits)} ms and more`);
  const waiting = await waitingAt(server);
  ok(waiting > 0 && waiting <= 64, `${waiting} wait`);
  for (const sent of open) sent.destroy();
  await Promise.all(polls);
  await eventually("the places of those who left", async () => await waitingAt(server) === 0);
});
