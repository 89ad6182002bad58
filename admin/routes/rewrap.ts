/**
 * `/rewrap`: envelopes in, the same envelopes sealed under the newest team-secret version out.
 *
 * @module
 */

import { texts } from "../body.ts";
import type { AdminVault } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf } from "../route.ts";
import type { RewrappedBody } from "../wire.ts";

/** Envelopes come in batches; the CLI sends far smaller ones. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** The route of rewrapping. */
export function rewrapRoutes(vault: Pick<AdminVault, "envelopes">): readonly AdminRoute[] {
  return [
    { method: "POST", path: "/rewrap", maxBodyBytes: MAX_BODY_BYTES, handle: (c) => rewrap(c, vault.envelopes) },
  ];
}

/** The work stops when the caller goes away. */
async function rewrap(c: AdminContext, service: AdminVault["envelopes"]): Promise<Response> {
  const { envelopes } = await bodyOf(c, { envelopes: texts });
  const body: RewrappedBody = { envelopes: await service.rewrap(envelopes, c.req.raw.signal) };
  return c.json(body);
}
