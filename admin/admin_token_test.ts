import { equal, notEqual, ok, throws } from "node:assert/strict";
import {
  adminTokenFrom,
  adminTokenId,
  digestAdminToken,
  isAdminToken,
  isNonce,
  parseAdminToken,
  proofKeyFor,
  proveAdminToken,
} from "./admin_token.ts";

const TOKEN = `adm_${"00".repeat(31)}ff`;
const NONCE = "n".repeat(32);

Deno.test("adminTokenFrom() makes adm_ and 64 hex digits of 32 bytes, and of nothing else", () => {
  const bytes = new Uint8Array(32);
  bytes[31] = 255;
  equal(adminTokenFrom(bytes), TOKEN);
  throws(() => adminTokenFrom(new Uint8Array(16)), RangeError);
});

Deno.test("parseAdminToken() takes the text of the file and nothing with more in it", () => {
  equal(parseAdminToken(`${TOKEN}\n`), TOKEN);
  equal(parseAdminToken(TOKEN), TOKEN);
  for (const text of ["", "\n", `${TOKEN} `, `${TOKEN}\n\n`, ` ${TOKEN}`, TOKEN.toUpperCase(), TOKEN.slice(0, -1)]) {
    equal(parseAdminToken(text), undefined, JSON.stringify(text));
  }
});

Deno.test("isAdminToken() takes that token only, whatever its length", () => {
  const digest = digestAdminToken(TOKEN);
  ok(isAdminToken(TOKEN, digest));
  for (const other of ["", TOKEN.slice(0, -1), `${TOKEN}0`, TOKEN.replace("ff", "fe")]) {
    ok(!isAdminToken(other, digest));
  }
});

Deno.test("proveAdminToken() is HMAC-SHA-256 under SHA-256(token) over nonce and port", async () => {
  const key = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(TOKEN));
  const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", hmac, new TextEncoder().encode(`${NONCE}8081`));
  const hex = Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, "0")).join("");
  equal(proveAdminToken(digestAdminToken(TOKEN), NONCE, 8081), hex);
});

Deno.test("proofKeyFor() answers an unknown id under a key of that id's own", () => {
  const digest = digestAdminToken(TOKEN);
  const decoy = new Uint8Array(32).fill(7);
  equal(proofKeyFor(adminTokenId(digest), digest, decoy), digest);
  const one = proofKeyFor("0".repeat(16), digest, decoy);
  const other = proofKeyFor("1".repeat(16), digest, decoy);
  notEqual(proveAdminToken(one, NONCE, 1), proveAdminToken(other, NONCE, 1));
  equal(proveAdminToken(one, NONCE, 1), proveAdminToken(proofKeyFor("0".repeat(16), digest, decoy), NONCE, 1));
});

Deno.test("isNonce() takes no two lengths between which digits of a port could be moved", () => {
  const lengths = Array.from({ length: 200 }, (_, length) => length).filter((length) => isNonce("1".repeat(length)));
  ok(lengths.length > 0);
  // Nonce and port are hashed as one text, and a port has up to 5 digits: N‖18081 is also N1‖8081.
  for (const [i, length] of lengths.entries()) ok(i === 0 || length - lengths[i - 1]! > 4);
  equal(Math.max(...lengths), 128);
  for (const text of ["", "a b".padEnd(16, "c"), "é".repeat(16), "\n".repeat(16)]) {
    ok(!isNonce(text), JSON.stringify(text));
  }
});
