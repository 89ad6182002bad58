/**
 * `identity/audit/self`: what the vault wrote down about whoever asks.
 *
 * @module
 */

import { MAX_OWN_ENTRIES, ownEntries, USUAL_OWN_ENTRIES } from "../../../vault/audit/own_entries.ts";
import type { TrailReader } from "../../../vault/audit/trail_reader.ts";
import { VaultError } from "../../../vault/errors.ts";
import type { ServiceTokens } from "../../../vault/service_tokens/service_tokens.ts";
import { int, text } from "../fields.ts";
import { type Route, route } from "../route.ts";

/** The routes. */
export function identityAuditRoutes(
  reader: TrailReader | undefined,
  tokens: Pick<ServiceTokens, "assertStillLive">,
): Route[] {
  return [
    route({
      path: "audit/self",
      summary: "The caller's own trail, the newest entries, the oldest of them first.",
      fields: {
        limit: int(`how many, ${MAX_OWN_ENTRIES} at most (${USUAL_OWN_ENTRIES} where absent)`),
        since: text("a time, such as 2026-03-20T10:00:00Z"),
        operation: text("an operation, or a word of it"),
      },
      read: async ({ caller, values }) => {
        const { limit, since, operation } = values;
        const wanted = { limit, since: timeOf(since), operation: operation || undefined };
        const entries = await ownEntries(reader, caller.entity?.record.entityId, wanted);
        // Reading takes long where the index is behind: whoever was cut off meanwhile gets nothing.
        tokens.assertStillLive(caller);
        return { data: { entries } };
      },
    }),
  ];
}

function timeOf(since: string | undefined): number | undefined {
  if (!since) return undefined;
  const at = Date.parse(since);
  if (Number.isNaN(at)) throw new VaultError("invalid_argument", "since must be a time, such as 2026-03-20T10:00:00Z");
  return at;
}
