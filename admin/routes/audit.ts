/**
 * `/audit/…`: the trail, read by operators. Lines are sent as they stand in the files.
 *
 * @module
 */

import type { TrailQuery, TrailReader } from "../../vault/audit/trail_reader.ts";
import { VaultError } from "../../vault/errors.ts";
import type { AdminVault } from "../ports.ts";
import type { AdminContext, AdminRoute } from "../route.ts";

const LINES = { "content-type": "application/x-ndjson" };
const MAX_TAIL = 10_000;

/** The routes of the audit trail. */
export function auditRoutes(vault: Pick<AdminVault, "auditReader" | "state">): readonly AdminRoute[] {
  const reader = () => readerOf(vault);
  return [
    { method: "GET", path: "/audit/head", handle: (c) => c.json({ ...reader().head(), path: reader().path }) },
    { method: "GET", path: "/audit/entries", handle: (c) => lines(c, reader().pages(queryIn(c))) },
    { method: "GET", path: "/audit/tail", handle: (c) => lines(c, tail(c, reader())) },
    {
      method: "GET",
      path: "/audit/report",
      handle: async (c) => c.json(await reader().report(queryIn(c), (agentId) => ownerOf(vault, agentId))),
    },
  ];
}

function readerOf({ auditReader }: Pick<AdminVault, "auditReader">): TrailReader {
  if (auditReader !== undefined) return auditReader;
  throw new VaultError("precondition_failed", "The audit trail is switched off", {
    hint: "start the server without --audit-file off",
  });
}

function ownerOf({ state }: Pick<AdminVault, "state">, agentId: string): string | undefined {
  return state.tokens.get(agentId)?.user.record.name;
}

function queryIn(c: AdminContext): TrailQuery {
  return {
    user: c.req.query("user"),
    operation: c.req.query("operation"),
    since: timeIn(c, "since"),
    until: timeIn(c, "until"),
    limit: countIn(c, "limit"),
    isNewest: c.req.query("limit") !== undefined,
  };
}

function timeIn(c: AdminContext, name: string): number | undefined {
  const text = c.req.query(name);
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) {
    throw new VaultError("invalid_argument", `${name} must be a time, such as 2026-03-20T10:00:00Z`);
  }
  return at;
}

function countIn(c: AdminContext, name: string): number | undefined {
  const text = c.req.query(name);
  if (text === undefined) return undefined;
  if (!/^[1-9][0-9]{0,8}$/.test(text)) {
    throw new VaultError("invalid_argument", `${name} must be a whole number above 0`);
  }
  return Number(text);
}

async function* tail(c: AdminContext, reader: TrailReader): AsyncGenerator<readonly string[]> {
  const limit = Math.min(countIn(c, "lines") ?? 10, MAX_TAIL);
  const following = c.req.query("follow") === undefined ? undefined : reader.follow(c.req.raw.signal);
  yield* reader.pages({ limit, isNewest: true });
  if (following !== undefined) yield* following;
}

/** Whatever fails before the first page is thrown here, so that it can be answered. */
async function lines(c: AdminContext, pages: AsyncGenerator<readonly string[]>): Promise<Response> {
  const encoder = new TextEncoder();
  let next: IteratorResult<readonly string[]> | undefined = await pages.next();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const page = next ?? await pages.next();
      next = undefined;
      if (page.done) controller.close();
      else controller.enqueue(encoder.encode(page.value.map((line) => `${line}\n`).join("")));
    },
    cancel: () => void pages.return(undefined),
  }, { highWaterMark: 0 });
  return c.body(body, 200, LINES);
}
