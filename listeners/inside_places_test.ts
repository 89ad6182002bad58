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

Deno.test("InsidePlaces gives a place back where nobody listens", async () => {
  const places = new InsidePlaces(1, serversAt("/absent/socket"));
  for (let i = 0; i < 3; i++) await rejects(places.connect("192.0.2.1"), /ENOENT|No such file/);
  equal(places.waiting, 0);
});
