/**
 * `/keys`: the FHE key sets. One route gives a secret key away, `export`, and it is asked for by POST alone.
 *
 * @module
 */

import type { FheKeyRecord } from "../../vault/mod.ts";
import { defined, integer, optional, text } from "../body.ts";
import type { AdminVault } from "../ports.ts";
import { type AdminRoute, bodyOf, nameIn } from "../route.ts";
import type { ExportedKeysBody, KeySetRow } from "../wire.ts";

/** An evaluation key of the largest dimension takes 11.4 million characters; escaped, a little more. */
const MAX_KEY_FILES_BYTES = 32 * 1024 * 1024;

/** The routes of FHE key sets. */
export function keyRoutes({ keyRing }: Pick<AdminVault, "keyRing">): readonly AdminRoute[] {
  return [
    { method: "GET", path: "/keys", needs: "all", handle: (c) => c.json({ keys: keyRing.list().map(toRow) }) },
    {
      method: "POST",
      path: "/keys/generate",
      handle: async (c) => {
        const { dimension, key_id } = await bodyOf(c, { dimension: integer, key_id: optional(text) });
        const wanted = { dimension, ...defined({ keyId: key_id }) };
        return c.json(toRow(await keyRing.generate(wanted, { signal: c.req.raw.signal })), 201);
      },
    },
    {
      method: "POST",
      path: "/keys/rotate",
      handle: async (c) => {
        await bodyOf(c, {});
        return c.json(toRow(await keyRing.rotate(c.req.raw.signal)), 201);
      },
    },
    {
      method: "POST",
      path: "/keys/import",
      maxBodyBytes: MAX_KEY_FILES_BYTES,
      handle: async (c) => {
        const { sec_key, enc_key, eval_key } = await bodyOf(c, {
          sec_key: text,
          enc_key: text,
          eval_key: optional(text),
        });
        const files = { secKeyJson: sec_key, encKeyJson: enc_key, ...defined({ evalKeyJson: eval_key }) };
        return c.json(toRow(await keyRing.import(files, c.req.raw.signal)), 201);
      },
    },
    { method: "GET", path: "/keys/:id", needs: "all", handle: (c) => c.json(toRow(keyRing.show(nameIn(c, "id")))) },
    {
      method: "POST",
      path: "/keys/:id/export",
      handle: async (c) => {
        await bodyOf(c, {});
        const { secKeyJson, encKeyJson, evalKeyJson } = await keyRing.export(nameIn(c, "id"));
        const body: ExportedKeysBody = { sec_key: secKeyJson, enc_key: encKeyJson, eval_key: evalKeyJson ?? null };
        return c.json(body);
      },
    },
  ];
}

function toRow(record: FheKeyRecord): KeySetRow {
  return {
    key_id: record.keyId,
    dimension: record.dimension,
    active: record.active,
    created_at: new Date(record.createdAt).toISOString(),
    expires_at: new Date(record.expiresAt).toISOString(),
    added_at: new Date(record.addedAt).toISOString(),
    secret_key_sha256: record.secretKeySha256,
    encryption_key_sha256: record.encryptionKeySha256,
    evaluation_key_sha256: record.evaluationKeySha256,
  };
}
