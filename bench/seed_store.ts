/**
 * Fills a fresh data folder with users, as a vault would have left it: for the benchmarks and tests of large teams.
 *
 * @module
 */

import { newEntityId } from "../vault/ids.ts";
import type { Write } from "../vault/storage/store.ts";
import { SqliteDatabase } from "../vault/storage/sqlite_database.ts";
import { SealKey } from "../vault/keys/seal_key.ts";
import { putSecret, sealSecret } from "../vault/keys/secret_service.ts";
import { hashToken } from "../vault/tokens/user_token.ts";
import { putToken } from "../vault/tokens/token_service.ts";
import { DEFAULT_ROLES, putRole } from "../vault/roles/role_service.ts";

const PART = 10_000;

/** The token of the `index`-th seeded user. */
export function seededToken(index: number): string {
  return `evt_${index.toString(16).padStart(32, "0")}`;
}

/**
 * Makes `<dir>` with `users` users, `user0` first, whose role `bench` has no limit that a benchmark reaches.
 */
export async function seedDataFolder(dir: string, users: number): Promise<void> {
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  await Deno.chmod(dir, 0o700);
  const key = random.bytes(32);
  await Deno.writeFile(`${dir}/seal.key`, key, { mode: 0o600 });
  const sealKey = new SealKey(key, random);
  await Deno.writeFile(`${dir}/runevault.db`, new Uint8Array(), { mode: 0o600 });
  const database = new SqliteDatabase(`${dir}/runevault.db`);
  let sequence = database.commit(foundation(sealKey, random.bytes(32)), 0);
  for (let from = 0; from < users; from += PART) {
    const writes: Write[] = [];
    for (let i = from; i < Math.min(users, from + PART); i++) writes.push(...seededUser(i, random));
    sequence = database.commit(writes, sequence);
  }
  database.close();
}

function foundation(sealKey: SealKey, secret: Uint8Array): Write[] {
  const now = Date.now();
  const check = sealKey.seal("meta/seal_check", new TextEncoder().encode("runevault"));
  return [
    { kind: "meta", key: "seal_check", value: { value: check } },
    { kind: "meta", key: "seal_fingerprint", value: { value: sealKey.fingerprint } },
    { kind: "meta", key: "first_user_at", value: { value: now } },
    putSecret(sealSecret(sealKey, 1, secret, now)),
    ...DEFAULT_ROLES.map(putRole),
    putRole({
      name: "bench",
      scope: ["get_public_key", "decrypt_scores", "decrypt_metadata"],
      topK: 10,
      rateLimit: { count: 1_000_000, seconds: 1 },
    }),
  ];
}

function seededUser(index: number, random: { bytes(length: number): Uint8Array<ArrayBuffer> }): Write[] {
  const now = Date.now();
  const entityId = newEntityId({ now: () => now, monotonic: () => 0 }, random);
  return [
    {
      kind: "user",
      key: entityId,
      value: { entityId, name: `user${index}`, epoch: 1, disabled: false, createdAt: now },
    },
    putToken({
      tokenHash: hashToken(seededToken(index)),
      entityId,
      epoch: 1,
      role: "bench",
      secretVersion: 1,
      issuedAt: now,
      expiresAt: now + 90 * 86_400_000,
    }),
  ];
}
