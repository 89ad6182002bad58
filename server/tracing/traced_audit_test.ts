import { deepEqual, rejects, throws } from "node:assert/strict";
import { ALLOWED } from "../../vault/audit/encoding.ts";
import { AuditedRequest } from "../../vault/audit/request.ts";
import type { Audit } from "../../vault/audit/trail.ts";
import { VaultError } from "../../vault/errors.ts";
import { type RequestSpan, tracedAudit } from "./traced_audit.ts";

const FULL = new VaultError("audit_unavailable", "the disk is full");

function finished(finish: Audit["finish"]): { end: () => void | Promise<void>; spans: RequestSpan[] } {
  const spans: RequestSpan[] = [];
  const begin: Audit["begin"] = (beginning) => new AuditedRequest(beginning);
  const audit = tracedAudit({ begin, finish }, (span) => spans.push(span), () => 0);
  return { end: () => audit.finish(audit.begin({ id: "r", face: "api", startedAt: 0 }), ALLOWED), spans };
}

Deno.test("a request that can't be recorded has failed for whoever traces, also where that shows later", async () => {
  const at = {
    once: finished(() => {
      throw FULL;
    }),
    later: finished(() => Promise.reject(FULL)),
  };
  throws(at.once.end, FULL);
  await rejects(async () => await at.later.end(), FULL);
  const told = ({ spans }: { spans: RequestSpan[] }) =>
    spans.map(({ hasFailed, attributes }) => [hasFailed, attributes["error.type"]]);
  deepEqual([told(at.once), told(at.later)], [[[true, "audit_unavailable"]], [[true, "audit_unavailable"]]]);
});

Deno.test("a request is told of once it is recorded, at once or later", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const at = { once: finished(() => {}), later: finished(() => promise) };
  at.once.end();
  const ending = at.later.end();
  deepEqual([at.once.spans.length, at.later.spans.length], [1, 0]);
  resolve();
  await ending;
  deepEqual(at.later.spans.map(({ hasFailed }) => hasFailed), [false]);
});
