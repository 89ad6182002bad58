import { equal } from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { GetAgentManifestRequestSchema } from "../../proto/gen/rune/vault/v1/vault_pb.ts";
import { RawHttp2 } from "./_raw_http2.ts";
import { call, startAnswering, vault } from "./_test_support.ts";
import { VIOLATIONS } from "./_violations.ts";

const request = create(GetAgentManifestRequestSchema, { token: "evt_a" });

// An error of a connection that nobody listened for ended the whole process: one WINDOW_UPDATE made one.
Deno.test("whoever breaks the rules of HTTP/2 harms nobody else", async (t) => {
  const logger = { log: () => {} };
  await using running = await startAnswering(() => "fine", { guard: { logger } });
  const { address } = running.server;
  for (const [name, violate] of Object.entries(VIOLATIONS)) {
    await t.step(name, async () => {
      using raw = await RawHttp2.open(address);
      await violate(raw);
      await raw.waitFor(() => false, 50);
      equal((await call(address, vault.getAgentManifest, request)).message?.manifestJson, "fine");
    });
  }
});
