/**
 * Texts that must not be written down because they are, or may be, credentials.
 *
 * @module
 */

/** Service tokens of this vault and of others, old ones, user and operator tokens, JWTs. */
const TOKEN = /(?<![A-Za-z0-9])(?:hv[sbr]\.|[sbr]\.[A-Za-z0-9]{8}|evt_|opr_|adm_|eyJ[A-Za-z0-9_-]{8})/;

/** Whether a text has the form of a token, or holds one. */
export function looksLikeToken(text: string): boolean {
  return TOKEN.test(text);
}
