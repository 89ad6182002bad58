/**
 * Texts that must not be written down because they are, or may be, credentials.
 *
 * @module
 */

/** Service tokens of this vault and of others, old ones, user and operator tokens, JWTs. */
const TOKEN = /^(?:hv[sbr]\.|[sbr]\.[A-Za-z0-9]{8}|evt_|opr_|eyJ[A-Za-z0-9_-]{8})/;

/** Whether a text has the form of a token. */
export function looksLikeToken(text: string): boolean {
  return TOKEN.test(text);
}
