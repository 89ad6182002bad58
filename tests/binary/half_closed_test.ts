import { equal, match } from "node:assert/strict";
import { StartedServer } from "../started_server.ts";
import { binaryPath } from "./_binary.ts";

binaryPath();

/** All that comes until the other side closes. */
async function hear(connection: Deno.Conn): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of connection.readable) chunks.push(chunk);
  return await new Blob(chunks as BlobPart[]).text();
}

// The HTTP server of the runtime takes a client that has ended its side for one that went away.
Deno.test("the binary answers clients that end their side after their request, on each HTTP port", async () => {
  await using server = await StartedServer.start();
  const asked = { api: "/v1/sys/health", admin: "/proof?nonce=00&id=00", metrics: "/health" } as const;
  for (const [port, path] of Object.entries(asked)) {
    const address = server.addresses[port as keyof typeof asked]!;
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(address.split(":").at(-1)) });
    await connection.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`));
    await connection.closeWrite();
    match(await hear(connection), /^HTTP\/1\.1 [234]/, port);
  }
  equal(server.hasEnded, false);
});
