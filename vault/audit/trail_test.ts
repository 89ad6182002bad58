import { strict as assert } from "node:assert";
import { VaultError } from "../errors.ts";
import { isChain, TestTrail, withTrail } from "./_test_support.ts";
import { hashOf } from "./chain.ts";
import { ALLOWED, outcomeOf } from "./encoding.ts";
import { type AuditedRequest, inBackground, withinRequest } from "./request.ts";

function assertChain(trail: TestTrail): void {
  assert.ok(isChain(trail.entries(), trail.lines(), hashOf), trail.lines().join("\n"));
}

const isUnavailable = (error: unknown) => error instanceof VaultError && error.kind === "audit_unavailable";

Deno.test("S23: a read's line is in the file when finish() returns", async () => {
  await withTrail(async (it) => {
    const request = it.request("read sys/health");
    request.user = "alice";
    assert.equal(it.trail.finish(request, ALLOWED), undefined);
    const [entry] = it.entries();
    assert.deepEqual([entry!.seq, entry!.request_id, entry!.user, entry!.decision], [1, "r1", "alice", "allowed"]);
    await Promise.resolve();
  });
});

Deno.test("calls over gRPC that end in the same turn of the event loop as another are written together, before the next", async () => {
  await withTrail(async (it) => {
    const writes: number[] = [];
    it.trail.onLines((lines) => writes.push(lines.length));
    const written: string[] = [];
    const ended = ["a", "b", "c", "d"].map(async (name) => {
      await it.trail.finish(it.request(name, "grpc"), ALLOWED);
      written.push(name);
    });
    assert.equal(it.lines().length, 1);
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    await Promise.all(ended);
    clearInterval(counting);
    assert.equal(turns, 0, "no turn went by");
    assert.deepEqual(written, ["a", "b", "c", "d"]);
    assert.deepEqual(writes, [1, 3]);
    assertChain(it);
  });
});

Deno.test("requests over HTTP are written when they end, after the calls over gRPC that wait for the end of the turn", async () => {
  await withTrail(async (it) => {
    const calls = ["a", "b"].map((name) => it.trail.finish(it.request(name, "grpc"), ALLOWED));
    assert.equal(it.lines().length, 1);
    const answered = ["c", "d"].map((name) => it.trail.finish(it.request(name), ALLOWED));
    assert.deepEqual(answered, [undefined, undefined]);
    assert.deepEqual(it.entries().map(({ operation }) => operation), ["a", "b", "c", "d"]);
    await Promise.all(calls);
    assertChain(it);
  });
});

Deno.test("what ended before a change in the same turn comes before it in the chain, and waits for no commit", async () => {
  await withTrail(async (it) => {
    const release = it.store.hold();
    const reads = [1, 2].map(() => it.trail.finish(it.request("read x", "grpc"), ALLOWED));
    const changed = withinRequest(it.request("write role"), () => it.changeRole("a"));
    await Promise.all(reads);
    assert.deepEqual(it.entries().map(({ request_id }) => request_id), ["r1", "r2"]);
    release();
    await changed;
    assert.deepEqual(it.entries().map(({ request_id }) => request_id), ["r1", "r2", "r3"]);
    assertChain(it);
  });
});

Deno.test("S23: a change and its chained entry are committed together, and the request adds no second one", async () => {
  await withTrail(async (it) => {
    const request = it.request("write role");
    await withinRequest(request, () => it.changeRole("a"));
    await it.trail.finish(request, ALLOWED);
    const [commit] = it.store.asked;
    assert.ok(commit!.some(({ kind }) => kind === "role"));
    const box = commit!.find(({ kind }) => kind === "audit_outbox")!;
    assert.equal((box.value as { lines: string }).lines, `${it.lines()[0]}\n`);
    assert.deepEqual(it.entries().map(({ request_id, change, effects }) => ({ request_id, change, effects })), [
      { request_id: "r1", change: 1, effects: [{ kind: "role", id: "a", act: "made" }] },
    ]);
  });
});

Deno.test("S23: a commit that fails leaves no entry of the change and no gap, and its request says what became of it", async () => {
  await withTrail(async (it) => {
    it.store.failNext();
    const request = it.request("write role");
    const failed = withinRequest(request, () => it.changeRole("a"));
    const other = it.request("read x");
    await assert.rejects(failed);
    await it.trail.finish(other, ALLOWED);
    await it.trail.finish(request, outcomeOf("storage_failed"));
    const entries = it.entries();
    assert.deepEqual(entries.map(({ request_id, decision }) => [request_id, decision]), [["r2", "allowed"], [
      "r1",
      "failed",
    ]]);
    assertChain(it);
  });
});

Deno.test("what ends during a commit waits for it, and comes after it in the chain", async () => {
  await withTrail(async (it) => {
    const release = it.store.hold();
    const request = it.request("write role");
    const changed = withinRequest(request, () => it.changeRole("a"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const recorded = [1, 2, 3].map(() => it.trail.finish(it.request(), ALLOWED));
    assert.ok(recorded.every((one) => one instanceof Promise));
    assert.equal(it.lines().length, 0);
    release();
    await Promise.all([changed, ...recorded]);
    assert.deepEqual(it.entries().map((entry) => entry.request_id), ["r1", "r2", "r3", "r4"]);
    assertChain(it);
  });
});

Deno.test("a change whose entry can't be made takes no place in the chain", async () => {
  await withTrail(async (it) => {
    const value = { name: "a", scope: [], topK: 1, rateLimit: { count: 1, seconds: 1 } } as const;
    const part = (request: AuditedRequest) => ({ request, writes: [{ kind: "role" as const, key: "a", value }] });
    const broken = it.request();
    broken.resource = { path: 1n };
    assert.throws(() => it.trail.prepare([part(it.request()), part(broken)], 1, it.state), TypeError);
    it.trail.finish(it.request(), ALLOWED);
    await it.changeRole("a");
    assert.deepEqual(it.entries().map(({ seq }) => seq), [1, 2]);
    assertChain(it);
  });
});

Deno.test("a commit without an entry of its own holds nobody up, and loses no line to a power cut", async () => {
  await withTrail(async (it) => {
    await it.trail.finish(it.request(), ALLOWED);
    const release = it.store.hold();
    const saved = it.trail.saveHead();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await it.trail.finish(it.request(), ALLOWED);
    release();
    await saved;
    await it.changeRole("a");
    await it.kill();
    await Deno.truncate(it.path, 0);
    await it.open();
    assert.deepEqual(it.entries().map(({ seq }) => seq).slice(0, 3), [1, 2, 3]);
    assertChain(it);
  });
});

Deno.test("a request of several changes that says so has one entry, at its end", async () => {
  await withTrail(async (it) => {
    const request = it.request("read creds");
    request.goesOn = true;
    await withinRequest(request, () => it.changeRole("a"));
    assert.equal(it.lines().length, 0);
    assert.equal(it.disk.table("audit_open").size, 1);
    request.goesOn = false;
    await withinRequest(request, () => it.changeRole("b"));
    await it.trail.finish(request, ALLOWED);
    await it.changeRole("c");
    assert.equal(it.disk.table("audit_open").size, 0);
    const [first, second] = it.entries();
    assert.deepEqual(first!.effects!.map(({ id }) => id), ["a", "b"]);
    assert.deepEqual([second!.face, second!.operation], ["vault", "change"]);
  });
});

Deno.test("S23: a request that was killed between its changes has an entry after the next start", async () => {
  await withTrail(async (it) => {
    const request = it.request("read creds");
    request.goesOn = true;
    await withinRequest(request, () => it.changeRole("a"));
    await it.kill();
    await it.open();
    assert.deepEqual(it.entries().map(({ request_id, decision }) => [request_id, decision]), [["r1", "interrupted"]]);
    await it.kill();
    await it.open();
    assert.equal(it.entries().length, 1, "once");
  });
});

Deno.test("S23: a committed change whose line never reached the file is in it after the next start", async () => {
  await withTrail(async (it) => {
    await it.trail.finish(it.request(), ALLOWED);
    await withinRequest(it.request("write role"), () => it.changeRole("a"));
    await it.trail.finish(it.request(), ALLOWED);
    await it.kill();
    // What a power cut does: everything that was not synced is gone from the file.
    await Deno.truncate(it.path, 0);
    await it.open();
    assert.deepEqual(it.entries().map((entry) => entry.request_id).slice(0, 2), ["r1", "r2"]);
    await it.trail.finish(it.request(), ALLOWED);
    assertChain(it);
  });
});

Deno.test("the chain goes on after a start, also one after a kill and one whose last line is torn", async () => {
  await withTrail(async (it) => {
    await it.changeRole("a");
    await it.trail.finish(it.request(), ALLOWED);
    await it.close();
    await it.open();
    await it.trail.finish(it.request(), ALLOWED);
    await it.kill();
    await Deno.writeTextFile(it.path, '{"seq":4,"time":"2026', { append: true });
    await it.open();
    await it.trail.finish(it.request(), ALLOWED);
    assert.equal(it.entries().length, 4);
    assertChain(it);
  });
});

Deno.test("with the file broken reads and changes are refused, the change before its commit; mended, all goes on", async () => {
  await withTrail(async (it) => {
    await it.trail.finish(it.request(), ALLOWED);
    const full = `${it.folder}/full`;
    await Deno.rename(it.path, full);
    await Deno.symlink("/dev/full", it.path);
    const begun = it.request();
    it.trail.reopen();
    await assert.rejects(async () => await it.trail.finish(begun, ALLOWED), isUnavailable);
    assert.throws(() => it.request(), isUnavailable);
    const asked = it.store.asked.length;
    await assert.rejects(it.changeRole("a"), isUnavailable);
    assert.equal(it.store.asked.length, asked, "nothing was asked of the store");
    // Meanwhile the file is synced, which that place doesn't take either.
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.match(it.trail.status().fileTrouble!, /space/i);
    // In one step: were the path free for a moment, the trail could begin a file there that is then replaced.
    await Deno.rename(full, it.path);
    while (it.trail.status().fileTrouble !== null) await new Promise((resolve) => setTimeout(resolve, 50));
    await it.changeRole("a");
    assert.deepEqual(it.entries().map(({ operation }) => operation), ["read x", "audit_file_mended", "change"]);
    assertChain(it);
  });
});

Deno.test("changes of nobody's are the vault's own, each with an id; bookkeeping alone has no entry", async () => {
  await withTrail(async (it) => {
    await inBackground("sweep", async () => {
      await it.changeRole("a");
      await it.changeRole("b");
    });
    await it.writer.change(() => ({
      writes: [{ kind: "meta", key: "x", value: { value: 1 } }],
      result: () => {},
    }));
    const entries = it.entries();
    assert.deepEqual(entries.map(({ face, operation }) => [face, operation]), [["vault", "sweep"], ["vault", "sweep"]]);
    assert.notEqual(entries[0]!.request_id, entries[1]!.request_id);
  });
});

Deno.test("a change with very many effects is several entries, each naming the one before", async () => {
  await withTrail(async (it) => {
    const value = { name: "x", scope: [], topK: 1, rateLimit: { count: 1, seconds: 1 } } as never;
    await it.writer.change(() => ({
      writes: Array.from({ length: 1200 }, (_, i) => ({ kind: "role" as const, key: `r${i}`, value })),
      result: () => {},
    }));
    const entries = it.entries();
    assert.deepEqual(entries.map(({ effects }) => effects!.length), [500, 500, 200]);
    assert.deepEqual(entries.map(({ continues }) => continues), [undefined, 1, 2]);
  });
});

Deno.test("a request that waits with very many effects has as many entries, however it ends, and after a kill as well", async () => {
  await withTrail(async (it) => {
    const value = { name: "x", scope: [], topK: 1, rateLimit: { count: 1, seconds: 1 } } as never;
    const changeMany = (request: AuditedRequest) => {
      request.goesOn = true;
      return withinRequest(request, () =>
        it.writer.change(() => ({
          writes: Array.from({ length: 1200 }, (_, i) => ({ kind: "role" as const, key: `r${i}`, value })),
          result: () => {},
        })));
    };
    const request = it.request();
    await changeMany(request);
    await it.trail.finish(request, { decision: "refused", error: "invalid_argument" });
    await changeMany(it.request());
    await it.kill();
    await it.open();
    const told = it.entries().map(({ request_id, decision, effects }) => [request_id, decision, effects!.length]);
    assert.deepEqual(told, [
      ...[500, 500, 200].map((count) => ["r1", "refused", count]),
      ...[500, 500, 200].map((count) => ["r2", "interrupted", count]),
    ]);
    assertChain(it);
  });
});

Deno.test("S24: the file of the next key holds no key of a line that is written, and the first key is left once", async () => {
  await withTrail(async (it) => {
    const first = JSON.parse(await Deno.readTextFile(`${it.folder}/audit.k0`));
    assert.equal(first.first_sequence, 1);
    assert.equal((await Deno.stat(`${it.folder}/audit.k0`)).mode! & 0o777, 0o600);
    const before = await Deno.readFile(`${it.folder}/audit.key`);
    await it.trail.finish(it.request(), ALLOWED);
    await it.close();
    const after = await Deno.readFile(`${it.folder}/audit.key`);
    assert.equal(after.length, before.length);
    assert.notDeepEqual(after, before);
    await Deno.remove(`${it.folder}/audit.k0`);
    await it.open();
    await assert.rejects(Deno.stat(`${it.folder}/audit.k0`), Deno.errors.NotFound);
  });
});

Deno.test("a trail whose next key is gone is not gone on with, unless the operator says so", async () => {
  await withTrail(async (it) => {
    await it.changeRole("a");
    await it.close();
    await Deno.remove(`${it.folder}/audit.key`);
    const isInvalid = (error: unknown) => error instanceof VaultError && error.kind === "config_invalid";
    await assert.rejects(it.open(), isInvalid);
    await it.open({ mayBeginAnew: true });
    await it.changeRole("b");
    assertChain(it);
    assert.equal(JSON.parse(await Deno.readTextFile(`${it.folder}/audit.k0.2`)).first_sequence, 2);
  });
});
