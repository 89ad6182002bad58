/**
 * `/backups`: everything that the vault is, secrets included, for the command line to encrypt.
 *
 * Whoever may ask for it could take the data folder as well; the archive goes over the admin socket or loopback, is
 * encrypted by whoever asked, and the server never learns the passphrase.
 *
 * @module
 */

import { flag, optional } from "../body.ts";
import type { BackupSource } from "../ports.ts";
import { type AdminRoute, bodyOf } from "../route.ts";

const ARCHIVE_TYPE = "application/x-tar";

/** The routes of backups. */
export function backupRoutes(backups: BackupSource): readonly AdminRoute[] {
  return [
    {
      method: "POST",
      path: "/backups",
      handle: async (c) => {
        const { former_audit: formerAudit = true } = await bodyOf(c, { former_audit: optional(flag) });
        return c.json(await backups.take({ formerAudit }), 201);
      },
    },
    {
      method: "POST",
      path: "/backups/:id/fetch",
      handle: async (c) => {
        await bodyOf(c, {});
        const archive = backups.fetch(c.req.param("id") ?? "");
        return new Response(archive, { headers: { "content-type": ARCHIVE_TYPE } });
      },
    },
  ];
}
