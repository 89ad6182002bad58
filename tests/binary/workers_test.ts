import { equal, match } from "node:assert/strict";
import { AdminHttp, VaultClient } from "../clients.ts";
import { StartedServer, temporaryFolder } from "../started_server.ts";
import { binaryRuntime, isAtLeast } from "./_binary.ts";

const WORKERS = ["--workers", "2"];

Deno.test("--workers serves from two threads, or is refused by the name of a runtime that can't", async () => {
  await using folder = await temporaryFolder();
  const runtime = await binaryRuntime();
  if (!isAtLeast(runtime, "2.8.0")) {
    const { code, log } = await StartedServer.refused({ dataDir: folder.path, args: WORKERS });
    equal(code, 78);
    match(log, new RegExp(`Deno ${runtime}, can't share a port`));
    return;
  }
  await using server = await StartedServer.start({ dataDir: folder.path, args: WORKERS });
  using admin = AdminHttp.of(server);
  const token = await admin.issue("alice");
  for (let i = 0; i < 12; i++) {
    using client = VaultClient.of(server);
    equal((await client.manifest(token)).code, 0);
  }
});
