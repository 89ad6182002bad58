/**
 * What the libraries do by themselves: signatures of each algorithm and password hashes, a second. Each is used in the way
 * in which the vault uses it.
 *
 * @module
 */

import { systemRandom } from "../server/clock.ts";
import { loadNativeLibraries } from "../server/native_libraries.ts";
import { PasswordPool } from "../vault/userpass/password_pool.ts";
import { type Claims, makeKeyPair, signerOf } from "../vault/oidc/algorithms.ts";

const SECONDS = Number(Deno.args[0] ?? "2");
/** The one that is asked for; absent: all. */
const ONLY = Deno.args[1];
const IN_FLIGHT = 4;

async function rate(work: () => Promise<unknown> | unknown): Promise<number> {
  let count = 0;
  const started = performance.now();
  const until = started + SECONDS * 1000;
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (performance.now() < until) {
      await work();
      count++;
    }
  }));
  return count / (performance.now() - started) * 1000;
}

const folder = await Deno.makeTempDir();
const { jwt, argon2 } = await loadNativeLibraries({ folder: `${folder}/native`, logger: { log: () => {} } });
const claims: Claims = {
  iss: "https://vault.example:8200/v1/identity/oidc",
  sub: crypto.randomUUID(),
  aud: "a".repeat(26),
  iat: 1_800_000_000,
  exp: 1_800_086_400,
  namespace: "root",
  jti: crypto.randomUUID(),
  ep: 1,
  sid: "s".repeat(32),
};
const rates: Record<string, number> = {};
for (const algorithm of ["RS256", "ES256", "EdDSA"] as const) {
  if (ONLY !== undefined && ONLY !== algorithm) continue;
  const { privateKey } = await makeKeyPair(algorithm);
  const signer = await signerOf(algorithm, "kid", privateKey, jwt);
  rates[algorithm] = await rate(() => signer.sign(claims));
}
if (ONLY === undefined || ONLY === "password") {
  const pool = new PasswordPool(systemRandom, Math.min(navigator.hardwareConcurrency, 4));
  const hash = await pool.hash("correct horse");
  rates["password"] = await rate(() => (argon2 ?? pool).verify("correct horse", hash));
  pool.close();
}
await Deno.remove(folder, { recursive: true });
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(rates)));
