import { equal, rejects } from "node:assert/strict";
import { InsidePlaces, type InsideServers } from "./inside_places.ts";

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
  for (let i = 0; i < 3; i++) await rejects(places.connect("192.0.2.1"), /ENOENT|No such file/);
  equal(places.waiting, 0);
  equal(opened, 1);
});

Deno.test("InsidePlaces asks again for a server that couldn't be opened", async () => {
  let asked = 0;
  const open = () => Promise.reject(new Error(`no descriptor for server ${++asked}`));
  const places = new InsidePlaces(1, { open, close: () => {} });
  await rejects(places.connect("192.0.2.1"), /server 1/);
  await rejects(places.connect("192.0.2.1"), /server 2/);
});
