import { equal, match, ok, rejects } from "node:assert/strict";
import { makeApp, serveApp } from "./_test_support.ts";
import { type AdminListener, listenAdminSocket, listenAdminTcp } from "./listener.ts";
import { ownNow } from "../tests/own_time.ts";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function withSocket(path: string, test: (listener: AdminListener) => Promise<void>): Promise<void> {
  const app = makeApp();
  const listener = await listenAdminSocket({ path }, app.handle, app.logger);
  try {
    await test(listener);
  } finally {
    await listener.shutdown(1000);
  }
}

async function statusOver(path: string, headers: Record<string, string> = {}): Promise<number> {
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path }, allowHost: true });
  const answer = await fetch("http://localhost/tokens", { client, headers });
  await answer.body?.cancel();
  return answer.status;
}

Deno.test("listenAdminTcp() refuses every address that another machine could reach", async () => {
  const app = makeApp();
  for (const hostname of ["0.0.0.0", "::", "", "192.168.1.10", "example.com", "127.0.0.1.example.com", "localhost."]) {
    const listening = listenAdminTcp({ hostname, port: 0 }, app.handle, app.logger);
    await rejects(listening, { kind: "config_invalid" }, hostname);
  }
});

Deno.test("listenAdminTcp() says which address is taken", async () => {
  await using app = await serveApp();
  const again = () => listenAdminTcp({ hostname: "127.0.0.1", port: app.port }, app.handle, app.logger);
  await rejects(again(), { kind: "config_invalid", message: new RegExp(`127\\.0\\.0\\.1:${app.port}`) });
});

Deno.test("listenAdminTcp() listens on localhost as 127.0.0.1, and on ::1 with its address in brackets", async () => {
  const app = makeApp();
  const v4 = await listenAdminTcp({ hostname: "localhost", port: 0 }, app.handle, app.logger);
  match(v4.address, /^127\.0\.0\.1:[1-9][0-9]+$/);
  await v4.shutdown(1000);
  const v6 = await listenAdminTcp({ hostname: "::1", port: 0 }, app.handle, app.logger);
  match(v6.address, /^\[::1\]:[1-9][0-9]+$/);
  const answer = await fetch(`http://${v6.address}/tokens`);
  equal(answer.status, 401);
  await answer.body?.cancel();
  await v6.shutdown(1000);
});

Deno.test("listenAdminSocket() makes a socket of mode 0600 that needs no token, and takes it away again", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/admin.sock`;
    await withSocket(path, async () => {
      equal((await Deno.stat(path)).mode! & 0o777, 0o600);
      equal(await statusOver(path), 200);
    });
    await rejects(Deno.stat(path), Deno.errors.NotFound);
  });
});

Deno.test("listenAdminSocket() leaves the process's file mask as it was", async () => {
  await withFolder(async (folder) => {
    const before = Deno.umask(0o027);
    try {
      await withSocket(`${folder}/admin.sock`, () => Promise.resolve());
      equal(Deno.umask(0o027), 0o027);
    } finally {
      Deno.umask(before);
    }
  });
});

Deno.test("a socket refuses a foreign Host or Origin where one is sent", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/admin.sock`;
    await withSocket(path, async () => {
      equal(await statusOver(path, { host: "evil.example" }), 403);
      equal(await statusOver(path, { origin: "https://evil.example" }), 403);
      equal(await statusOver(path, { host: "localhost:8081" }), 200);
    });
  });
});

Deno.test("listenAdminSocket() replaces the socket of a dead process, and never one that answers", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/admin.sock`;
    // A process that is killed leaves its file; so does this listener, renamed away while it lives.
    await withSocket(`${path}.dying`, async () => await Deno.rename(`${path}.dying`, path));
    ok((await Deno.lstat(path)).isSocket);
    await withSocket(path, async () => {
      equal(await statusOver(path), 200);
      const app = makeApp();
      await rejects(listenAdminSocket({ path }, app.handle, app.logger), { kind: "config_invalid" });
      equal(await statusOver(path), 200, "the first one still answers");
    });
  });
});

Deno.test("listenAdminSocket() touches nothing that is not a socket, and names a path that can't be", async () => {
  await withFolder(async (folder) => {
    const app = makeApp();
    const file = `${folder}/notes.txt`;
    await Deno.writeTextFile(file, "keep me");
    await rejects(listenAdminSocket({ path: file }, app.handle, app.logger), { kind: "config_invalid" });
    equal(await Deno.readTextFile(file), "keep me");
    for (const path of [`${folder}/none/admin.sock`, `${folder}/${"x".repeat(120)}`]) {
      await rejects(listenAdminSocket({ path }, app.handle, app.logger), { kind: "config_invalid" });
    }
  });
});

Deno.test("shutdown() lets a call in flight finish, and doesn't wait longer than its grace for one that hangs", async () => {
  const app = makeApp();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: called, resolve: noteCall } = Promise.withResolvers<void>();
  const slow = await listenAdminTcp({ hostname: "127.0.0.1", port: 0 }, async () => {
    noteCall();
    await released;
    return new Response("done");
  }, app.logger);
  const call = fetch(`http://${slow.address}/`).then((answer) => answer.text());
  await called;
  const started = ownNow();
  await slow.shutdown(100);
  ok(ownNow() - started < 2000);
  ok(app.logger.names().includes("calls_cut"));
  release();
  equal(await call, "done", "the call in flight was not cut by shutting down");
  await rejects(fetch(`http://${slow.address}/`), TypeError);
});
