/**
 * The reference of the identity API's benchmark: a bare Hono route that hashes the token and answers JSON of the size of
 * a look-up, and the signing rates of the library alone.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Hono } from "@hono/hono";

const app = new Hono();
const answer = { data: { accessor: "a".repeat(24), policies: ["default"], filler: "x".repeat(500) }, auth: null };
app.get("/v1/auth/token/lookup-self", (c) => {
  const hash = createHash("sha256").update(c.req.header("x-vault-token") ?? "").digest("hex");
  return c.json({ request_id: hash, ...answer });
});
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.fetch);
Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify({ port: server.addr.port })}\n`));
