/**
 * `/tls/renew`: a new server certificate by the same authority, while the server runs.
 *
 * @module
 */

import { VaultError } from "../../vault/errors.ts";
import type { TlsControl } from "../ports.ts";
import { type AdminContext, type AdminRoute, bodyOf } from "../route.ts";
import type { RenewedTlsBody } from "../wire.ts";

/** The routes of certificates. */
export function tlsRoutes(tls: TlsControl): readonly AdminRoute[] {
  return [{ method: "POST", path: "/tls/renew", handle: (c) => renew(c, tls) }];
}

async function renew(c: AdminContext, tls: TlsControl): Promise<Response> {
  await bodyOf(c, {});
  if (tls.renew === null) {
    throw new VaultError("precondition_failed", "This server's certificate is not the vault's own", {
      hint: "with --tls files its owner replaces it, and the server takes it over within seconds",
    });
  }
  await tls.renew();
  const body: RenewedTlsBody = { message: "A new server certificate is in force within seconds; the CA is the same" };
  return c.json(body);
}
