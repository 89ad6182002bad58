/**
 * JWTs that somebody asks about: none but those that this vault signed count, and no text makes an answer fail.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import fc from "fast-check";
import { TestVault } from "../../../vault/_test_support.ts";
import { anyText, AWKWARD_TEXT, bulkText, mutatedText } from "../mutations.ts";
import { must } from "../refusals.ts";
import { type FuzzTarget, syncTarget } from "../target.ts";

/** Both are quick to make. */
const ALGORITHMS = ["EdDSA", "ES256"];

const { engine, tokens } = await signers();
const signed: ReadonlySet<string> = new Set(tokens);
const PARTS = tokens.map((token) => token.split("."));

async function signers() {
  const vault = new TestVault(await Deno.makeTempDir({ prefix: "runevault-fuzz-" }));
  await vault.open();
  const { engine } = vault.vault;
  const tokens = await Promise.all(ALGORITHMS.map(async (algorithm) => {
    await engine.oidcKeys.put(algorithm, { algorithm });
    const key = (await engine.oidcKeys.needed(algorithm))!;
    return await engine.identityTokens.sign(key, { iss: engine.issuer.issuer, sub: "0190", exp: 4e9, sid: "s", ep: 1 });
  }));
  await vault.close();
  await Deno.remove(vault.folder, { recursive: true });
  return { engine, tokens };
}

const PIECES = [...AWKWARD_TEXT, '"alg":"none"', '"alg":"HS256"', '"kid":', '"exp":', ".", "=", "A"];
const json = (part: string) => Buffer.from(part, "base64url").toString("utf8");
const encoded = (text: string) => Buffer.from(text, "utf8").toString("base64url");

/** A token some of whose parts were written anew; its signature stays, goes, or is another's. */
const forged = fc.constantFrom(...PARTS).chain(([head, body, signature]) => {
  const written = (part: string) =>
    fc.oneof(fc.constant(part), mutatedText(fc.constant(json(part)), PIECES).map(encoded));
  const signatures = [signature!, "", ...PARTS.map((parts) => parts[2]!), "A".repeat(86)];
  return fc.tuple(written(head!), written(body!), fc.constantFrom(...signatures)).map((parts) => parts.join("."));
});

/** Tokens. */
export const target: FuzzTarget = syncTarget(
  "jwts",
  "json",
  fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom(...tokens) },
    { weight: 50, arbitrary: mutatedText(fc.constantFrom(...tokens), PIECES) },
    { weight: 50, arbitrary: forged },
    { weight: 5, arbitrary: anyText() },
    { weight: 1, arbitrary: bulkText(100_000, [".", "e30", "eyJ", "{", "="]) },
  ),
  check,
);

function check(token: string): void {
  const verified = engine.identityTokens.verified(token);
  must((typeof verified === "object") === signed.has(token), `${JSON.stringify(verified)} of ${token.slice(0, 300)}`);
  const { active } = engine.identityTokens.introspect(token, undefined);
  must(!active, "a token of nobody is active");
}
