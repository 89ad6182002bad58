import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { FAKE_READER, fakeToken } from "../tests/fakes/admin_vault.ts";
import { ADMIN_TOKEN, makeApp, serveApp, type ServedApp } from "./_test_support.ts";
import { adminPath, connectAdmin } from "./client.ts";
import { listenAdminSocket } from "./listener.ts";

interface DataFolder extends AsyncDisposable {
  readonly path: string;
  write(name: string, text: string): Promise<void>;
}

async function dataFolder(): Promise<DataFolder> {
  const path = await Deno.makeTempDir();
  await Deno.writeTextFile(`${path}/admin.token`, `${ADMIN_TOKEN}\n`, { mode: 0o600 });
  return {
    path,
    write: (name, text) => Deno.writeTextFile(`${path}/${name}`, text),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** A vault's port while the vault is away: whatever is sent there is kept, and answered as `answer` says. */
function impostor(answer: (request: Request) => Response | Promise<Response>) {
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    seen.push(`${request.method} ${request.url} ${JSON.stringify([...request.headers])} ${await request.text()}`);
    return await answer(request);
  });
  return {
    seen,
    address: `127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function tokensOver(app: ServedApp, dataDir: string): Promise<unknown> {
  using client = await connectAdmin({ dataDir, adminAddr: app.listener.address });
  return await client.json("GET", "/tokens");
}

Deno.test("connectAdmin() over TCP proves the server first and then sends the token of the data folder", async () => {
  await using app = await serveApp();
  await using data = await dataFolder();
  deepEqual(await tokensOver(app, data.path), { tokens: [] });
});

Deno.test("an impostor on the port gets no token, whatever it answers", async () => {
  await using data = await dataFolder();
  const answers: ((request: Request) => Response | Promise<Response>)[] = [
    () => Response.json({ proof: "0".repeat(64) }),
    () => Response.json({ proof: 5 }),
    () => Response.json([]),
    () => new Response("not json"),
    () => new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } }),
  ];
  for (const answer of answers) {
    await using other = impostor(answer);
    using client = await connectAdmin({ dataDir: data.path, adminAddr: other.address });
    await rejects(client.json("POST", "/tokens", { user: "alice", role: "member" }), { kind: "unreachable" });
    equal(other.seen.length, 1, "asked for a proof and nothing else");
    match(other.seen[0]!, /^GET [^ ]*\/proof\?nonce=[0-9a-f]{64}&id=[0-9a-f]{16} /);
    ok(!other.seen.join().includes("adm_"));
    ok(!other.seen.join().includes("alice"));
  }
});

Deno.test("an impostor that has the real server answer for it is found out: the proof names the port", async () => {
  await using app = await serveApp();
  await using data = await dataFolder();
  await using relay = impostor(async (request) => {
    const { pathname, search } = new URL(request.url);
    return await fetch(`${app.url}${pathname}${search}`);
  });
  using client = await connectAdmin({ dataDir: data.path, adminAddr: relay.address });
  await rejects(client.json("GET", "/tokens"), { kind: "unreachable" });
  ok(!relay.seen.join().includes("adm_"));
});

Deno.test("an impostor that redirects is not followed", async () => {
  await using data = await dataFolder();
  await using elsewhere = impostor(() => Response.json({ proof: "" }));
  await using other = impostor(() => Response.redirect(`http://${elsewhere.address}/`, 307));
  using client = await connectAdmin({ dataDir: data.path, adminAddr: other.address });
  await rejects(client.json("GET", "/tokens"), { kind: "unreachable" });
  deepEqual([other.seen.length, elsewhere.seen.length], [1, 0]);
});

Deno.test("an impostor whose answer has no end is read no further than a proof is long", async () => {
  await using data = await dataFolder();
  let sent = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    sent += 65_536;
    controller.enqueue(new Uint8Array(65_536).fill(0x20));
  };
  await using other = impostor(() => new Response(new ReadableStream({ pull })));
  using client = await connectAdmin({ dataDir: data.path, adminAddr: other.address });
  await rejects(client.json("GET", "/tokens"), { kind: "unreachable" });
  // What the connection holds in its buffers comes on top.
  ok(sent < 20 * 1024 * 1024, `${sent} bytes`);
});

Deno.test("an impostor that never answers is given up", async () => {
  await using data = await dataFolder();
  const { promise, resolve } = Promise.withResolvers<Response>();
  await using other = impostor(() => promise);
  using client = await connectAdmin({ dataDir: data.path, adminAddr: other.address, timeoutMs: 200 });
  await rejects(client.json("GET", "/tokens"), { kind: "unreachable" });
  resolve(new Response());
});

Deno.test("without a token that this user may read nothing is asked", async () => {
  await using app = await serveApp();
  await using data = await dataFolder();
  await data.write("admin.token", "adm_no\n");
  await rejects(tokensOver(app, data.path), { kind: "token_invalid" });
  await Deno.remove(`${data.path}/admin.token`);
  await rejects(tokensOver(app, data.path), { kind: "token_invalid" });
});

Deno.test("a proxy in the environment sees nothing of an admin's requests", async () => {
  await using app = await serveApp();
  await using data = await dataFolder();
  await using proxy = impostor(() => new Response("proxied"));
  Deno.env.set("HTTP_PROXY", `http://${proxy.address}`);
  Deno.env.set("http_proxy", `http://${proxy.address}`);
  try {
    deepEqual(await tokensOver(app, data.path), { tokens: [] });
  } finally {
    Deno.env.delete("HTTP_PROXY");
    Deno.env.delete("http_proxy");
  }
  deepEqual(proxy.seen, []);
});

Deno.test("the socket is preferred, without a token; the TCP address of the address file comes second", async () => {
  await using app = await serveApp();
  await using data = await dataFolder();
  const overSocket = makeApp();
  overSocket.vault.rows.set("socket-user", fakeToken("socket-user", 1));
  const socket = await listenAdminSocket({ path: `${data.path}/admin.sock` }, overSocket.handle, overSocket.logger);
  const users = async () => {
    using client = await connectAdmin({ dataDir: data.path });
    return (await client.json<{ tokens: { user: string }[] }>("GET", "/tokens")).tokens.map((row) => row.user);
  };
  deepEqual(await users(), ["socket-user"], "<data>/admin.sock without an address file");
  await data.write("addresses.json", JSON.stringify({ admin: app.listener.address, admin_socket: socket.address }));
  deepEqual(await users(), ["socket-user"]);
  await socket.shutdown(1000);
  deepEqual(await users(), [], "the socket is gone, TCP answers");
});

Deno.test("an explicit socket or address is used alone", async () => {
  await using app = await serveApp();
  await using data = await dataFolder();
  await data.write("addresses.json", JSON.stringify({ admin: app.listener.address, admin_socket: null }));
  const dataDir = data.path;
  await rejects(connectAdmin({ dataDir, adminSocket: `${dataDir}/none.sock` }), { kind: "unreachable" });
  await rejects(connectAdmin({ dataDir, adminAddr: "127.0.0.1:1" }), { kind: "unreachable" });
  (await connectAdmin({ dataDir }))[Symbol.dispose]();
});

Deno.test("a server that isn't running gets its own message, and a damaged address file another", async () => {
  await using data = await dataFolder();
  const dataDir = data.path;
  await rejects(connectAdmin({ dataDir }), { kind: "unreachable", message: /The server is not running/ });
  await data.write("addresses.json", '{"admin":null,"admin_socket":null}');
  await rejects(connectAdmin({ dataDir }), { kind: "unreachable", message: /no admin listener/ });
  for (const text of ["", "[]", "null", "{", '{"admin":5}', '{"admin_socket":{}}']) {
    await data.write("addresses.json", text);
    await rejects(connectAdmin({ dataDir }), { kind: "unreachable" }, text);
  }
});

Deno.test("addresses of other machines, and what is no address, are a wrong command line", async () => {
  const wrong = [
    "192.168.0.1:8081",
    "example.com:8081",
    "localhost",
    "localhost:0",
    "localhost:99999",
    ":8081",
    "[::2]:1",
  ];
  for (const adminAddr of [...wrong, "http://localhost:8081", "localhost:8081/x", "off", ""]) {
    await rejects(connectAdmin({ dataDir: "/nowhere", adminAddr }), { kind: "usage" }, adminAddr);
  }
});

Deno.test("errors of the server arrive with their kind, hint and data", async () => {
  await using app = await serveApp();
  await using data = await dataFolder();
  using client = await connectAdmin({ dataDir: data.path, adminAddr: app.listener.address });
  await rejects(client.json("GET", "/tokens/nobody"), { kind: "not_found", message: 'No user "nobody"' });
  const bad = client.json("POST", "/rewrap", { envelopes: ["fine", "bad"] });
  await rejects(bad, { kind: "ciphertext_invalid", data: { index: 1 } });
  app.vault.failNext(new Error("inner"));
  await rejects(client.json("POST", "/secrets/rotate"), { kind: "internal", message: /\(request [0-9a-f]{16}\)$/ });
});

Deno.test("an answer that breaks off leaves open whether the change was made, and says so", async () => {
  await using data = await dataFolder();
  const path = `${data.path}/admin.sock`;
  const server = Deno.listen({ transport: "unix", path });
  const breaking = (async () => {
    for await (const connection of server) {
      await connection.read(new Uint8Array(1000));
      connection.close();
    }
  })();
  using client = await connectAdmin({ dataDir: data.path });
  await rejects(client.json("POST", "/secrets/rotate"), { kind: "unreachable", hint: /not known/ });
  await rejects(client.json("GET", "/tokens"), { kind: "unreachable", hint: undefined });
  server.close();
  await breaking;
});

Deno.test("a long answer that breaks off on its way says so", async () => {
  await using data = await dataFolder();
  const server = Deno.listen({ transport: "unix", path: `${data.path}/admin.sock` });
  const begun = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
  const breaking = (async () => {
    for await (const connection of server) {
      if (await connection.read(new Uint8Array(1000)) !== null) await connection.write(new TextEncoder().encode(begun));
      connection.close();
    }
  })();
  using client = await connectAdmin({ dataDir: data.path });
  const answer = await client.bytes("POST", "/backups/1/fetch", {});
  await rejects(Array.fromAsync(answer), { kind: "unreachable", message: /broke before the answer was complete/ });
  server.close();
  await breaking;
});

Deno.test("adminPath() keeps every name a single segment, and names that can't be one in the query", async () => {
  equal(adminPath`/tokens/${"a/b?c#d e"}/rotate`, "/tokens/a%2Fb%3Fc%23d%20e/rotate");
  equal(adminPath`/tokens/${".."}/rotate`, "/tokens/-/rotate?name=..");
  equal(adminPath`/tokens/${""}`, "/tokens/-?name=");
  await using app = await serveApp();
  await using data = await dataFolder();
  using client = await connectAdmin({ dataDir: data.path, adminAddr: app.listener.address });
  for (const [i, name] of ["..", ".", "", "a/b", "%", "a\u0000b", "\n", "é"].entries()) {
    app.vault.rows.set(name, fakeToken(name, i));
    equal((await client.json<{ user: string }>("GET", adminPath`/tokens/${name}`)).user, name);
  }
});

Deno.test("a token is sent over a socket only where nobody else could have put one", async () => {
  await using data = await dataFolder();
  const app = makeApp();
  const path = `${data.path}/admin.sock`;
  const listener = await listenAdminSocket({ path, groupId: Deno.gid()! }, app.handle, app.logger);
  const list = async () => {
    using client = await connectAdmin({ dataDir: data.path, adminSocket: path, operatorToken: FAKE_READER });
    return await client.json("GET", "/tokens");
  };
  deepEqual(await list(), { tokens: [] });
  for (const mode of [0o777, 0o1777, 0o770]) {
    await Deno.chmod(data.path, mode);
    await rejects(list(), { kind: "unreachable" }, mode.toString(8));
  }
  await Deno.chmod(data.path, 0o755);
  deepEqual(await list(), { tokens: [] });
  await listener.shutdown(1000);
});
