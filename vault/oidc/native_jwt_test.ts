import { deepEqual, equal } from "node:assert/strict";
import { createRequire } from "node:module";
import { importJWK, jwtVerify } from "jose";
import type { Json } from "../storage/identity_records.ts";
import { ALGORITHMS, makeKeyPair, signerOf } from "./algorithms.ts";
import { isPlainlyWritten, type NativeJwt } from "./native_jwt.ts";

const library = createRequire(import.meta.url)("@node-rs/jsonwebtoken-linux-x64-gnu");
const native: NativeJwt = {
  sign: (claims, key, algorithm, keyId) => library.signSync(claims, key, { algorithm, keyId }),
};
/** Claims that tell the two ways apart where they write differently. */
const CLAIMS: Record<string, Json> = JSON.parse(
  `{"b":1,"a":[1.5,-3,0,4294967295,true,null,"é\u2028\\n"],"iat":1774000000,
  "o":{"2":{},"1":[]},"__proto__":"x","text":"</script>\\u0000"}`,
);

for (const algorithm of ALGORITHMS) {
  Deno.test(`${algorithm}: native code and the runtime say the same, and jose verifies both`, async () => {
    const { privateKey, publicJwk } = await makeKeyPair(algorithm);
    const key = await importJWK({ ...publicJwk }, algorithm);
    const bodies: string[] = [];
    for (const by of [native, undefined]) {
      const token = await (await signerOf(algorithm, "kid-1", privateKey, by)).sign(CLAIMS);
      const { protectedHeader } = await jwtVerify(token, key, { currentDate: new Date(1_774_000_000_000) });
      deepEqual(protectedHeader, { typ: "JWT", alg: algorithm, kid: "kid-1" });
      bodies.push(token.split(".").slice(0, 2).join("."));
    }
    equal(bodies[0], bodies[1]);
  });
}

Deno.test("claims that native code would write otherwise, or that are nested too deep for it, are the runtime's", async () => {
  let deep: Json = [];
  for (let i = 0; i < 100; i++) deep = [deep];
  const odd: Json[] = [2 ** 32, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, -0, 1e21, 1e-7, [[{ a: 5e9 }]], deep];
  for (const value of odd) equal(isPlainlyWritten({ value }), false, JSON.stringify(value));
  const { privateKey } = await makeKeyPair("ES256");
  const signer = await signerOf("ES256", "k", privateKey, {
    sign: () => {
      throw new Error("native code was asked");
    },
  });
  const [, body] = (await signer.sign({ big: 12345678901 })).split(".");
  equal(atob(body!), `{"big":12345678901}`);
});
