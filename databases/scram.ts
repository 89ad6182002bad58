/**
 * Passwords as PostgreSQL keeps them (RFC 5802, RFC 7677), made here, so that none goes to the server, nor into its log.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { VaultError } from "../vault/errors.ts";

const derive = promisify(pbkdf2);
/** PostgreSQL's own. */
const ITERATIONS = 4096;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/**
 * `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey` of a password; it has no quote.
 *
 * @throws {VaultError} `invalid_argument` for one that SASLprep (RFC 4013) changes or prohibits. Servers and most clients
 *   prepare passwords before they hash them, others, such as our own driver, don't: whoever had one might not get in, and
 *   sending it as it is would show it to a server that was to see none.
 */
export async function scramVerifier(password: string, salt: Buffer = randomBytes(SALT_BYTES)): Promise<string> {
  if (!await isPrepared(password)) throw unprepared();
  const salted = await derive(password, salt, ITERATIONS, KEY_BYTES, "sha256");
  const keyed = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64");
  const server = keyed("Server Key").toString("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${stored}:${server}`;
}

/** Whether it is the same to those who prepare passwords and to those who don't. */
async function isPrepared(password: string): Promise<boolean> {
  if (/^[\x20-\x7e]*$/.test(password)) return true;
  // Its tables of Unicode 3.2 are loaded where somebody's policy wants such passwords.
  const { saslprep } = await import("@mongodb-js/saslprep");
  try {
    return saslprep(password) === password;
  } catch {
    // It says which rule of the RFC forbids a character, and nobody hears of more than that one does.
    return false;
  }
}

/** Nothing was asked of a server, so it is certain that nothing was done. */
function unprepared(): VaultError {
  const message =
    'password_authentication "scram-sha-256" takes no password that SASLprep (RFC 4013) changes or prohibits';
  const hint = "give the password policy a charset of plain letters, or have the connection send passwords as they are";
  return new VaultError("invalid_argument", message, { hint, data: { isCertain: true } });
}
