import { deepEqual, equal, throws } from "node:assert/strict";
import { ServersBehind } from "./servers_behind.ts";

async function withServers(run: (servers: ServersBehind, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rv-behind-" });
  try {
    await run(
      new ServersBehind({
        name: "api",
        folder,
        logger: { log: () => {} },
        handler: (_request, peer) => new Response(peer),
        onError: () => new Response(null, { status: 500 }),
      }),
      folder,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function ask(path: string): Promise<string> {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  try {
    return await (await fetch("http://localhost/", { client })).text();
  } finally {
    client.close();
  }
}

Deno.test("ServersBehind has a server for each peer, on a socket of its own", async () => {
  await withServers(async (servers) => {
    const paths = ["10.0.0.1", "10.0.0.2"].map((peer) => servers.open(peer));
    deepEqual(await Promise.all(paths.map(ask)), ["10.0.0.1", "10.0.0.2"]);
    await servers.shutdown(0);
  });
});

Deno.test("ServersBehind opens nothing once it is shut down", async () => {
  await withServers(async (servers, folder) => {
    servers.open("10.0.0.1");
    await servers.shutdown(0);
    throws(() => servers.open("10.0.0.2"), /^Error: The port is closed$/);
    equal((await Array.fromAsync(Deno.readDir(folder))).filter(({ name }) => name.endsWith(".1.http")).length, 0);
  });
});
