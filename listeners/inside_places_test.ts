import { deepEqual, equal, rejects } from "node:assert/strict";
import { soon } from "../tests/soon.ts";
import { type InsideConnection, InsidePlaces, type InsideServers } from "./inside_places.ts";

function serversAt(path: string): InsideServers {
  return { open: () => Promise.resolve(path), close: () => {} };
}

Deno.test("InsidePlaces gives a connection that stands: one given up while it connects would stay open for ever", async () => {
  const folder = await Deno.makeTempDir();
  using _listener = Deno.listen({ transport: "unix", path: `${folder}/socket` });
  const places = new InsidePlaces(1, serversAt(`${folder}/socket`));
  const connection = await places.connect("192.0.2.1");
  equal(connection.socket.connecting, false);
  const next = places.connect("192.0.2.1");
  connection.end();
  (await next).end();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("InsidePlaces gives a place back where nobody listens, and asks for no other server: each costs a descriptor", async () => {
  let opened = 0;
  const places = new InsidePlaces(1, { open: () => Promise.resolve(`/absent/socket${++opened}`), close: () => {} });
  for (let i = 0; i < 2; i++) await rejects(places.connect("192.0.2.1"), /ENOENT|No such file/);
  equal(places.waiting, 0);
  equal(opened, 1);
});

Deno.test("InsidePlaces waits for a server that listens again in a moment, as one does that had no descriptor", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  Deno.listen({ transport: "unix", path }).close();
  const connection = new InsidePlaces(1, serversAt(path)).connect("192.0.2.1");
  await new Promise((resolve) => setTimeout(resolve, 100));
  await Deno.remove(path).catch(() => {});
  using _listener = Deno.listen({ transport: "unix", path });
  (await soon(connection)).end();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("InsidePlaces asks again for a server that couldn't be opened", async () => {
  let asked = 0;
  const open = () => Promise.reject(new Error(`no descriptor for server ${++asked}`));
  const places = new InsidePlaces(1, { open, close: () => {} });
  await rejects(places.connect("192.0.2.1"), /server 1/);
  await rejects(places.connect("192.0.2.1"), /server 2/);
});

/** A socket that connections may be made to, and a folder for it. */
async function withSocket(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  using _listener = Deno.listen({ transport: "unix", path });
  await use(path);
  await Deno.remove(folder, { recursive: true });
}

/** Closes a connection, and waits until its place has been given back. */
async function end(connection: InsideConnection): Promise<void> {
  const closed = new Promise((resolve) => connection.socket.once("close", resolve));
  connection.end();
  await soon(closed);
}

Deno.test("InsidePlaces gives no more connections than there are places, and the next to who asked first", async () => {
  await withSocket(async (path) => {
    const places = new InsidePlaces(2, serversAt(path));
    const [first, second] = [await places.connect("192.0.2.1"), await places.connect("192.0.2.2")];
    const came: string[] = [];
    const come = async (peer: string) => {
      const connection = await places.connect(peer);
      came.push(peer);
      return connection;
    };
    const [third, fourth] = [come("192.0.2.3"), come("192.0.2.4")];
    equal(places.waiting, 2);
    await end(first);
    await end(await soon(third));
    await end(await soon(fourth));
    deepEqual(came, ["192.0.2.3", "192.0.2.4"]);
    equal(places.waiting, 0);
    await end(second);
  });
});

Deno.test("InsidePlaces keeps eight servers that nobody uses, those used last, and every one in use", async () => {
  await withSocket(async (path) => {
    const closed: string[] = [];
    const places = new InsidePlaces(20, { open: () => Promise.resolve(path), close: (peer) => void closed.push(peer) });
    const inUse = await places.connect("in use");
    for (let peer = 1; peer <= 8; peer++) await end(await places.connect(`peer ${peer}`));
    await end(await places.connect("peer 1"));
    deepEqual(closed, []);
    await end(await places.connect("peer 9"));
    deepEqual(closed, ["peer 2"], "peer 1 came again meanwhile");
    await end(await places.connect("peer 2"));
    deepEqual(closed, ["peer 2", "peer 3"], "one that was closed is opened anew");
    await end(inUse);
    deepEqual(closed, ["peer 2", "peer 3", "in use"], "used last when it was connected");
  });
});
